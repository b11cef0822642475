"""helpers/downloads.py, and what the data sets make of bad servers, full disks and no network."""

import errno
import hashlib
import io
import os
import random
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
import zipfile
from contextlib import suppress

import numpy as np
import pytest
from campaign import tries
from PIL import Image

from helpers import datasets
from helpers.engine import budgets, downloads, files

GOOD, BODY = "good", 100_000


def head(length=None, status="200 OK", **headers):
    """The start of an answer."""
    lines = [f"HTTP/1.1 {status}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += [] if length is None else [f"Content-Length: {length}"]
    return "\r\n".join([*lines, "", ""]).encode()


def trickled(send, content):
    for index in range(len(content)):
        send(content[index : index + 1])
        time.sleep(0.02)


def endless(send, content=bytes(2**16)):
    while True:
        send(content)


def answer(fault, send, body, path):
    """Send what a server with a fault would."""
    half = body[: len(body) // 2]
    if fault == GOOD or (path == "/elsewhere" and fault.startswith("moved")):
        send(head(len(body)) + body)
    elif fault == "cut":
        send(head(len(body)) + half)
    elif fault == "cut without a length":
        send(head() + half)
    elif fault == "cut in a chunk":
        chunked = head(**{"Transfer-Encoding": "chunked"})
        send(chunked + f"{len(body):x}\r\n".encode() + half)
    elif fault == "wrong bytes":
        send(head(len(body)) + body[::-1])
    elif fault == "a page":
        send(head() + b"<html>Sign in to the network</html>")
    elif fault == "nothing":
        send(head(0))
    elif fault in ("404 Not Found", "500 Internal Server Error"):
        send(head(5, fault) + b"sorry")
    elif fault == "a loop":
        send(head(0, "302 Found", Location=path))
    elif fault == "moved, with an endless page":
        send(head(None, "302 Found", Location="/elsewhere"))
        endless(send)
    elif fault == "moved":
        send(head(0, "302 Found", Location="/elsewhere"))
    elif fault == "silence":
        time.sleep(5)
    elif fault == "silence after the head":
        send(head(len(body)))
        time.sleep(5)
    elif fault == "silence in the middle":
        send(head(len(body)) + half)
        time.sleep(5)
    elif fault == "a trickle":
        send(head(len(body)))
        trickled(send, body)
    elif fault == "a trickle of headers":
        trickled(send, head(len(body), **{"X-Filler": "x" * 10_000}))
    elif fault == "too much":
        send(head())
        endless(send)
    elif fault == "nonsense":
        send(b"SSH-2.0-OpenSSH_9.6\r\n")
    else:
        assert fault == "hung up", fault


@pytest.fixture
def server(monkeypatch):
    """A server on this machine: ``fault`` and ``body`` say what it answers."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            path = self.rfile.readline().split()[1].decode()
            while self.rfile.readline().strip():
                pass
            self.server.asked += 1
            with suppress(OSError):  # the other side has given up
                answer(self.server.fault, self.request.sendall, self.server.body, path)

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = daemon_threads = True
        block_on_close = False
        fault, body, asked = GOOD, b"", 0
        request_queue_size = 50

    server = Server(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{server.server_address[1]}/file.zip"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("no_proxy", "*")
    yield server
    server.shutdown()
    server.server_close()


def unused_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def tiny_mnist():
    """The bytes of an ``mnist.npz`` of four digits."""
    file = io.BytesIO()
    x, y = (
        np.random.default_rng(0).integers(0, 256, (4, 28, 28), np.uint8),
        np.arange(4),
    )
    y = y.astype(np.uint8)
    np.savez(file, x_train=x[:3], y_train=y[:3], x_test=x[3:], y_test=y[3:])
    return file.getvalue()


def zipped_cats(count=30, unreadable=0):
    """The bytes of a zip of pictures."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for index in range(count):
            picture = io.BytesIO()
            Image.new("RGB", (64, 64), (index, 0, 0)).save(picture, "PNG")
            content = b"text" if index < unreadable else picture.getvalue()
            archive.writestr(f"cats/Data/cat_{index}.png", content)
    return file.getvalue()


class Course:
    """A course folder, one of its data sets, and where that one is downloaded from."""

    def __init__(self, kind, folder, server, monkeypatch):
        self.kind, self.data, self.server, self.patch = (
            kind,
            folder / "data",
            server,
            monkeypatch,
        )
        self.file = self.data / {"digits": "mnist.npz", "cats": "cats.zip"}[kind]
        server.body = {"digits": tiny_mnist, "cats": zipped_cats}[kind]()
        monkeypatch.setattr(budgets, "ROOT", folder)
        monkeypatch.delenv("VAE_COURSE_DATA", raising=False)
        monkeypatch.setattr(
            datasets, "MNIST_SHA256", hashlib.sha256(server.body).hexdigest()
        )
        shapes = {
            "x_train": (3, 28, 28),
            "y_train": (3,),
            "x_test": (1, 28, 28),
            "y_test": (1,),
        }
        monkeypatch.setattr(datasets, "MNIST_SHAPES", shapes)
        monkeypatch.setattr(datasets, "FEWEST_DOWNLOADED", 30)
        stand_in = datasets.drawn_cats_stand_in(2)
        monkeypatch.setattr(datasets, "digits_stand_in", lambda: stand_in)
        monkeypatch.setattr(datasets, "drawn_cats_stand_in", lambda count: stand_in)
        self.point_to(server.url)
        self.limit(20.0, 60.0)

    def point_to(self, url):
        name = {"digits": "MNIST_URL", "cats": "CATS_URL"}[self.kind]
        self.patch.setattr(datasets, name, url)

    def limit(self, silence, seconds):
        """Set after how many seconds to give up."""
        self.patch.setattr(downloads, "SILENCE", silence)
        limits = {"largest": BODY, "seconds": seconds}
        self.patch.setattr(datasets, "MNIST_LIMITS", limits)
        self.patch.setattr(datasets, "CATS_LIMITS", limits)

    def load(self):
        return {"digits": datasets.load_mnist, "cats": datasets.load_cats}[self.kind]()

    def left(self):
        """The names in data/, but for the decoded cats."""
        names = {path.name for path in self.data.glob("*")}
        return {name for name in names if not name.startswith("cats-cache-")}

    def check_stand_in(self, capsys, *said):
        """Loading gives the stand-in, one message with what to do, and leaves nothing behind."""
        capsys.readouterr()
        assert "stand-in" in self.load().source
        out = capsys.readouterr().out
        for words in (
            *said,
            "the download failed (",
            "Going on with",
            f"as data/{self.file.name}",
        ):
            assert out.count(words) == 1, out
        assert "Errno" not in out.replace("[Errno", "") and "<urlopen" not in out
        assert not self.left()
        assert not list(self.data.glob("cats-cache-*"))

    def check_download(self):
        """Loading gives the file, and the next time the local one."""
        self.server.fault = GOOD
        self.point_to(self.server.url)
        self.limit(20.0, 60.0)
        assert self.load().source == "the public download"
        assert self.file.read_bytes() == self.server.body
        assert self.left() == {self.file.name}
        asked = self.server.asked
        assert "the local file" in self.load().source
        assert self.server.asked == asked


@pytest.fixture(params=["digits", "cats"])
def course(request, server, monkeypatch, tmp_path):
    return Course(request.param, tmp_path, server, monkeypatch)


ANSWERS = {  # fault to what the message says of it
    "cut": "broke off at",
    "cut without a length": "what came",
    "cut in a chunk": "broke off",
    "wrong bytes": "what came",
    "a page": "what came",
    "nothing": "what came",
    "404 Not Found": "the server answered 404, Not Found",
    "500 Internal Server Error": "the server answered 500, Internal Server Error",
    "a loop": "infinite loop",
    "too much": "more came than",
    "nonsense": "made no sense",
    "hung up": "broke off or made no sense",
}
WAITS = (
    "silence",
    "silence after the head",
    "silence in the middle",
    "a trickle",
    "a trickle of headers",
)


@pytest.mark.parametrize("fault", ANSWERS)
def test_a_bad_answer_is_explained_and_the_next_try_succeeds(course, capsys, fault):
    course.server.fault = fault
    course.check_stand_in(capsys, ANSWERS[fault])
    course.check_download()


@pytest.mark.parametrize("fault", WAITS)
def test_a_slow_server_is_given_up_and_the_next_try_succeeds(course, capsys, fault):
    course.limit(0.3, 60.0)
    course.server.fault = fault
    course.check_stand_in(capsys, "the server was")
    course.check_download()


def test_however_steady_a_trickle_there_is_an_end(course, capsys, monkeypatch):
    monkeypatch.setattr(downloads, "SLOWEST", 0)
    course.limit(20.0, 0.3)
    course.server.fault = "a trickle"
    course.check_stand_in(capsys, "too slow")


@pytest.mark.parametrize("fault", ["moved", "moved, with an endless page"])
def test_a_redirect_is_followed_and_its_page_not_read(course, fault):
    course.server.fault = fault
    assert course.load().source == "the public download"


@pytest.mark.parametrize(
    "where", ["http://127.0.0.1:{}/", "http://no-such-host.invalid:{}/"]
)
def test_no_network_is_explained(course, capsys, where):
    course.point_to(where.format(unused_port()))
    course.check_stand_in(capsys, "can't be reached")
    course.check_download()


def test_a_proxy_that_hangs_is_given_up(course, capsys, monkeypatch):
    monkeypatch.delenv("no_proxy")
    monkeypatch.setenv("http_proxy", course.server.url)
    course.limit(0.3, 60.0)
    course.server.fault = "silence"
    course.point_to("http://example.invalid/")
    course.check_stand_in(capsys)
    assert course.server.asked == 1


class FullFile(io.FileIO):
    """A file on a disk that has room for a thousand bytes."""

    def write(self, content):
        if self.tell() + len(content) > 1000:
            super().write(content[: 1000 - self.tell()])
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(content)


def test_a_full_disk_is_explained(course, capsys, monkeypatch):
    with monkeypatch.context() as full:
        full.setattr(downloads, "open", FullFile, raising=False)
        course.check_stand_in(capsys, "No space left on device: make room on the disk")
    course.check_download()


def test_a_folder_that_must_not_be_written_is_explained(course, capsys, monkeypatch):
    def forbidden(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as readonly:
        readonly.setattr(downloads, "open", forbidden, raising=False)
        course.check_stand_in(capsys, "Permission denied: make the folder writable, or")
    with monkeypatch.context() as readonly:
        readonly.setattr(downloads.Path, "mkdir", forbidden)
        course.check_stand_in(capsys, "Permission denied: make the folder writable, or")
    course.check_download()


@pytest.mark.skipif(
    os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere"
)
def test_a_real_folder_that_must_not_be_written_is_explained(course, capsys):
    course.data.mkdir()
    course.data.chmod(0o500)
    course.check_stand_in(capsys, "Permission denied")
    course.data.chmod(0o700)
    course.check_download()


@pytest.mark.parametrize(("count", "unreadable"), [(29, 0), (30, 1)])
def test_too_few_cats_are_not_kept(
    server, monkeypatch, tmp_path, capsys, count, unreadable
):
    course = Course("cats", tmp_path, server, monkeypatch)
    course.server.body = zipped_cats(count, unreadable)
    course.check_stand_in(capsys, "at least 30 readable", "and holds 29")


def test_a_downloaded_file_is_as_readable_as_any_other(course):
    course.load()
    other = course.data / "other"
    other.touch()
    assert course.file.stat().st_mode == other.stat().st_mode


def test_an_interruption_leaves_nothing_behind(course, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    course.server.fault = "silence in the middle"
    with monkeypatch.context() as stopped:
        stopped.setattr(downloads.Transfer, "check_speed", interrupted)
        with pytest.raises(KeyboardInterrupt):
            course.load()
    assert not course.left()
    course.check_download()


def test_a_thread_that_comes_late_leaves_nothing_behind(server, tmp_path):
    server.body = bytes(10)
    transfer = downloads.Transfer(server.url, tmp_path / "part", 100)
    transfer.given_up = True
    transfer.work()
    assert not list(tmp_path.iterdir())


def no_check(path):
    pass


def test_two_downloads_at_once_do_not_meet(server, tmp_path, monkeypatch):
    """One breaks off while the other is under way; then a third and a fourth finish together."""
    server.body = os.urandom(BODY)
    path = tmp_path / "file"
    both = threading.Barrier(2, timeout=30)
    outcomes = []

    def get(check):
        try:
            downloads.download(server.url, path, check, largest=BODY, seconds=60)
            outcomes.append("there")
        except ValueError as error:
            outcomes.append(str(error))

    def bad(part):
        both.wait()
        raise ValueError("broken")

    def good(part):
        assert part.read_bytes() == server.body
        both.wait()

    for checks in ((good, bad), (good, good)):
        threads = [threading.Thread(target=get, args=[check]) for check in checks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert path.read_bytes() == server.body
        assert [p.name for p in tmp_path.iterdir()] == ["file"]
    assert sorted(outcomes) == ["broken", "there", "there", "there"]


KILLED = """
import sys
from pathlib import Path
from helpers.engine import downloads
downloads.download(sys.argv[1], Path(sys.argv[2]), print, largest=10**6, seconds=60)
"""


def test_what_killed_processes_left_is_removed_in_time(server, tmp_path, root):
    server.body, server.fault = os.urandom(BODY), "silence in the middle"
    path = tmp_path / "file"
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, server.url, path],
        cwd=root,
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while (
        not [p for p in tmp_path.iterdir() if p.stat().st_size]
        and time.monotonic() < deadline
    ):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL if os.name != "nt" else signal.SIGTERM)
    process.wait()
    (left,) = tmp_path.iterdir()
    server.fault = GOOD
    downloads.download(server.url, path, no_check, largest=BODY, seconds=60)
    assert set(tmp_path.iterdir()) == {left, path}  # it might be at work still
    old = time.time() - files.LEFT_BEHIND - 60
    os.utime(left, (old, old))
    others = tmp_path / "holiday.part"
    others.touch()
    os.utime(others, (old, old))
    downloads.download(server.url, path, no_check, largest=BODY, seconds=60)
    assert set(tmp_path.iterdir()) == {path, others}


def test_any_sequence_of_faults_ends_with_the_file(
    server, monkeypatch, tmp_path, capsys
):
    """Random faults, one after the other, and then a good answer, which is the file."""
    rng, tried = random.Random(0), 0
    for number in range(tries(test=4, soak=100)):
        folder = tmp_path / str(number)
        folder.mkdir()
        course = Course(rng.choice(["digits", "cats"]), folder, server, monkeypatch)
        for fault in rng.choices([*ANSWERS, *WAITS], k=rng.randint(1, 5)):
            tried += 1
            course.limit(rng.choice([0.2, 0.3]), 60.0)
            course.server.fault = fault
            course.check_stand_in(capsys)
        course.check_download()
    print(f"\ndownloads: {tried} faults survived", end=" ")
