"""helpers/engine/downloads.py, and what the data sets make of bad servers and disks."""

import errno
import hashlib
import os
import random
import re
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from contextlib import suppress

import pytest
from campaign import tries
from small_data import DIGITS, marked, npz, settle, zipped
from tqdm import tqdm

from helpers import datasets
from helpers.datasets import cats, digits
from helpers.engine import downloads, files

GOOD, BODY = "good", 100_000
download = downloads.download  # which small_data takes away


def head(length=None, status="200 OK", **headers):
    """The start of an answer."""
    lines = [f"HTTP/1.1 {status}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {headers[name]}" for name in headers]
    lines += [] if length is None else [f"Content-Length: {length}"]
    return "\r\n".join([*lines, "", ""]).encode()


def answers(body):
    """Fault to what a server with it sends."""
    ok, half = head(len(body)), body[: len(body) // 2]
    chunk, chunked = b"%x\r\n" % len(body), {"Transfer_Encoding": "chunked"}
    found, elsewhere = "302 Found", {"Location": "/elsewhere"}
    return {
        GOOD: ok + body,
        "cut": ok + half,
        "cut without a length": head() + half,
        "cut in a chunk": head(**chunked) + chunk + half,
        "wrong bytes": ok + body[::-1],
        "a page": head() + b"<html>Sign in to the network</html>",
        "nothing": head(0),
        "no file": head(5, "404 Not Found") + b"sorry",
        "an error": head(5, "500 Internal Server Error") + b"sorry",
        "a loop": head(0, found, Location="/file.zip"),
        "endless": head(),
        "nonsense": b"SSH-2.0-OpenSSH_9.6\r\n",
        "hung up": b"",
        "silence": b"",
        "silence after the head": ok,
        "silence in the middle": ok + half,
        "drops": ok + body,
        "drops of headers": head(len(body), X_Filler="x" * 10_000),
        "moved": head(0, found, **elsewhere),
        "moved, endless page": head(None, found, **elsewhere),
        "moved, endless chunk": head(None, found, **elsewhere, **chunked)
        + b"ffffff\r\n",
    }


def send_all(fault, body, send):
    content = answers(body)[fault]
    if fault.startswith("drops"):
        for index in range(len(content)):
            send(content[index : index + 1])
            time.sleep(0.02)
    send(content)
    if "silence" in fault:
        time.sleep(5)
    while "endless" in fault:
        send(bytes(2**16))


@pytest.fixture
def server(monkeypatch):
    """A server on this machine: ``fault`` and ``body`` say what it answers."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            path = self.rfile.readline().split()[1]
            while self.rfile.readline().strip():
                pass
            self.server.asked += 1
            fault = GOOD if path == b"/elsewhere" else self.server.fault
            with suppress(OSError):  # the other side has given up
                send_all(fault, self.server.body, self.request.sendall)

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = daemon_threads = True
        block_on_close = False
        fault, body, asked = GOOD, os.urandom(BODY), 0
        request_queue_size = 50

    server = Server(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{server.server_address[1]}/file.zip"
    threading.Thread(target=server.serve_forever, args=[0.02], daemon=True).start()
    monkeypatch.setenv("no_proxy", "*")
    yield server
    server.shutdown()
    server.server_close()


class Course:
    """A course folder, one of its data sets, and where that one is downloaded from."""

    def __init__(self, kind, folder, server, monkeypatch):
        self.kind, self.server, self.patch = kind, server, monkeypatch
        self.data = settle(monkeypatch, folder)
        self.data.rmdir()
        self.file = self.data / {"digits": "mnist.npz", "cats": "cats.zip"}[kind]
        pictures = {f"cats/Data/cat_{i}.png": marked(i) for i in range(30)}
        server.body = npz(DIGITS) if kind == "digits" else zipped(pictures)
        stand_in = datasets.Dataset(None, None, None, "none", "the stand-in")
        for module, name, value in (
            (downloads, "download", download),
            (digits, "MNIST_SHA256", hashlib.sha256(server.body).hexdigest()),
            (cats, "FEWEST_DOWNLOADED", 30),
            (digits, "digits_stand_in", lambda: stand_in),
            (cats, "drawn_cats_stand_in", lambda count: stand_in),
        ):
            monkeypatch.setattr(module, name, value)
        self.point_to(server.url)

    def point_to(self, url, silence=20.0, seconds=60.0):
        """Set where the file comes from, and after how many seconds to give up."""
        self.patch.setattr(downloads, "SILENCE", silence)
        limits = {"largest": BODY, "seconds": seconds}
        self.patch.setattr(digits, "MNIST_HOMES", [url])
        self.patch.setattr(cats, "CATS_URL", url)
        for module, name in ((digits, "MNIST"), (cats, "CATS")):
            self.patch.setattr(module, f"{name}_LIMITS", limits)

    def load(self):
        return {"digits": datasets.load_mnist, "cats": datasets.load_cats}[self.kind]()

    def left(self):
        """The names in data/, but for the decoded cats."""
        names = {path.name for path in self.data.glob("*")}
        return {name for name in names if not name.startswith("cats-cache-")}

    def check_stand_in(self, capsys, said=""):
        """Loading gives the stand-in and a message with what to do; nothing is left."""
        capsys.readouterr()
        assert "stand-in" in self.load().source
        out, err = capsys.readouterr()
        assert re.search(said, out), out
        assert f"as {self.file}" in out
        assert not err
        assert not self.left()

    def check_download(self):
        """Loading gives the file, and the next time the local one."""
        self.server.fault = GOOD
        self.point_to(self.server.url)
        assert self.load().source == "the public download"
        assert self.file.read_bytes() == self.server.body
        assert self.left() == {self.file.name}
        asked = self.server.asked
        assert "the local file" in self.load().source
        assert self.server.asked == asked


@pytest.fixture(params=["digits", "cats"])
def course(request, server, monkeypatch, tmp_path):
    return Course(request.param, tmp_path, server, monkeypatch)


FAULTS = {  # what the message names
    "cut": "IncompleteRead",
    "cut without a length": "not a readable zip|not MNIST",
    "cut in a chunk": "IncompleteRead",
    "wrong bytes": "not a readable zip|not MNIST",
    "a page": "not a readable zip|not MNIST",
    "nothing": "not a readable zip|not MNIST: 0 bytes",
    "no file": "404.*Not Found",
    "an error": "500.*Internal Server Error",
    "a loop": "redirects",
    "endless": f"{BODY:,} bytes",
    "nonsense": "SSH",
    "hung up": "closed",
}
WAITS = [name for name in answers(b"") if name.startswith(("silence", "drops"))]
MOVED = [name for name in answers(b"") if name.startswith("moved")]
FAULTS |= dict.fromkeys(WAITS, "too slow|timed out")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_explained_and_the_next_try_succeeds(course, capsys, fault):
    course.point_to(course.server.url, silence=0.3 if fault in WAITS else 20.0)
    course.server.fault = fault
    course.check_stand_in(capsys, FAULTS[fault])
    course.check_download()


def test_however_steady_the_drops_there_is_an_end(course, capsys, monkeypatch):
    monkeypatch.setattr(downloads, "SLOWEST", 0)
    course.point_to(course.server.url, seconds=0.3)
    course.server.fault = "drops"
    course.check_stand_in(capsys, "too slow")


@pytest.mark.parametrize("fault", MOVED)
def test_a_redirect_is_followed_and_its_page_not_read(course, fault):
    course.server.fault = fault
    assert course.load().source == "the public download"


@pytest.mark.parametrize(
    ("host", "said"), [("127.0.0.1", "refused"), ("no-such-host.invalid", "gaierror")]
)
def test_no_network_is_explained(course, capsys, host, said):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    course.point_to(f"http://{host}:{port}/")
    course.check_stand_in(capsys, said)
    course.check_download()


def test_a_second_home_is_asked_when_the_first_fails(server, monkeypatch, tmp_path):
    course = Course("digits", tmp_path, server, monkeypatch)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}/"
    monkeypatch.setattr(digits, "MNIST_HOMES", [nobody, server.url])
    assert course.load().source == "the public download"
    assert course.left() == {"mnist.npz"}


def test_a_run_downloads_digits_and_no_cats(course, monkeypatch, capsys):
    monkeypatch.setenv("VAE_COURSE_DOWNLOADS", "small")
    if course.kind == "digits":
        course.check_download()
    else:
        assert "stand-in" in course.load().source
        assert "make data" in capsys.readouterr().out
        assert course.server.asked == 0


def test_a_proxy_that_hangs_is_given_up(course, capsys, monkeypatch):
    monkeypatch.delenv("no_proxy")
    monkeypatch.setenv("http_proxy", course.server.url)
    course.server.fault = "silence"
    course.point_to("http://example.invalid/", silence=0.3)
    course.check_stand_in(capsys)
    assert course.server.asked == 1


# The disk


@pytest.mark.parametrize(
    ("where", "code", "said"),
    [
        ((downloads.Transfer, "write"), errno.ENOSPC, "No space left.*make room"),
        ((downloads, "open"), errno.EACCES, "Permission denied.*writable"),
        ((downloads.Path, "mkdir"), errno.EROFS, "Read-only.*VAE_COURSE_DATA"),
    ],
)
def test_a_disk_that_takes_no_file_is_explained(
    course, capsys, monkeypatch, where, code, said
):
    def fail(*_, **__):
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as broken:
        broken.setattr(*where, fail, raising=False)
        course.check_stand_in(capsys, said)
    course.check_download()


def test_too_few_cats_are_not_kept(server, monkeypatch, tmp_path, capsys):
    course = Course("cats", tmp_path, server, monkeypatch)
    server.body = zipped({f"{index}.png": marked(index) for index in range(29)})
    course.check_stand_in(capsys, "30 .*29")


def test_a_downloaded_file_is_as_readable_as_any_other(course):
    course.load()
    other = course.data / "other"
    other.touch()
    assert course.file.stat().st_mode == other.stat().st_mode


# Interruptions, and several at once


def get(server, path, check=lambda part: None):
    download(server.url, path, check, largest=BODY, seconds=60)


def test_an_interruption_leaves_nothing_and_ends_the_thread(
    server, tmp_path, monkeypatch
):
    def interrupted(*_):
        raise KeyboardInterrupt

    before = set(threading.enumerate())
    server.fault = "endless"
    with monkeypatch.context() as stopped, pytest.raises(KeyboardInterrupt):
        stopped.setattr(threading.Thread, "join", interrupted)
        download(server.url, tmp_path / "file", len, largest=10**12, seconds=60)
    assert not list(tmp_path.iterdir())
    end = time.monotonic() + 30
    kept = before | {tqdm.monitor}  # tqdm's own thread stays for good
    while left := set(threading.enumerate()) - kept:  # the server's too
        assert time.monotonic() < end, left
        time.sleep(0.05)


def test_two_downloads_at_once_do_not_meet(server, tmp_path):
    """One breaks off while the other is under way; then two finish together."""
    path, outcomes = tmp_path / "file", []
    both = threading.Barrier(2, timeout=30)

    def run(check):
        try:
            get(server, path, check)
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
        threads = [threading.Thread(target=run, args=[check]) for check in checks]
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
    server.fault, path = "silence in the middle", tmp_path / "file"
    command = [sys.executable, "-c", KILLED, server.url, path]
    process = subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not any(p.stat().st_size for p in tmp_path.iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL if os.name != "nt" else signal.SIGTERM)
    process.wait()
    (left,) = tmp_path.iterdir()
    server.fault = GOOD
    get(server, path)
    assert set(tmp_path.iterdir()) == {left, path}  # it might be at work still
    others = tmp_path / "holiday.part"
    others.touch()
    for old in (left, others):
        os.utime(old, (time.time() - files.LEFT_BEHIND - 60,) * 2)
    get(server, path)
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
        for fault in rng.choices([*FAULTS], k=rng.randint(1, 5)):
            tried += 1
            course.point_to(server.url, silence=rng.choice([0.2, 0.3]))
            server.fault = fault
            course.check_stand_in(capsys)
        course.check_download()
    print(f"\ndownloads: {tried} faults survived", end=" ")
