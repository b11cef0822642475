"""Pages in a headless Chromium: what tests of the explorer and the train page share."""

import base64
import hashlib
import json
import re
import shutil
import subprocess

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next(filter(None, map(shutil.which, NAMES)), "")
HINT = "no Chromium here: apt-get install chromium, and the page is tested in it"


def needs_browser(test):
    """Mark a test that opens pages in Chromium: seconds each."""
    return pytest.mark.slow(pytest.mark.skipif(not BROWSER, reason=HINT)(test))


def answer_of(probes, page, folder, probe, *arguments):
    """What a probe of a script finds in the page, let in by its own hash."""
    code = f"""{probes}
HTMLElement.prototype.setPointerCapture = () => {{}}; // made-up ones can't be captured
if ("{probe}" === "refused") reachOut();
addEventListener("load", () => {{
  let answer;
  try {{ answer = probes.{probe}(...{json.dumps(arguments)}); }}
  catch (error) {{ answer = `failed: ${{error.stack}}`; }}
  document.body.textContent = "ANSWER" + JSON.stringify(answer) + "END";
}});"""
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    text = page.read_text(encoding="utf-8")
    text = text.replace("script-src ", f"script-src 'sha256-{digest}' ", 1)
    found = re.search("ANSWER(.*)END", shown(with_script(text, code), folder), re.S)
    assert found, "the page did not answer"
    answer = json.loads(found.group(1))
    assert not str(answer).startswith("failed"), answer
    return answer


def with_script(text, code):
    """A page's text with a script at its end."""
    return text.replace("</body>", f"<script>{code}</script></body>")


def shown(text, folder):
    """The page's document, after it has loaded."""
    path, user = folder / "probed.html", f"--user-data-dir={folder / 'user'}"
    path.write_text(text, encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", user, "--dump-dom"]
    command, kept = [BROWSER, *options, path.as_uri()], {"check": True, "text": True}
    return subprocess.run(command, capture_output=True, timeout=300, **kept).stdout


def data_of(page):
    """The data of a page, as they stand there."""
    return re.search(r'id="data">(.*?)</script>', page, re.S).group(1)
