"""Headless Chromium, driven through ChromeDriver by the W3C WebDriver protocol: plain HTTP, so no client to install."""

import base64
import contextlib
import json
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# Text, pictures and drawn lines of a page, those inside web components included, which `innerText` does not reach.
COLLECT = """
const text = [], images = [], lines = [];
const visit = node => {
  if (node.nodeType === Node.TEXT_NODE) text.push(node.nodeValue);
  if (node.nodeName === 'STYLE' || node.nodeName === 'SCRIPT') return;
  if (node.nodeName === 'IMG') images.push([node.src, node.naturalWidth]);
  if (node.nodeName === 'path') lines.push((node.getAttribute('d') || '').length);
  if (node.shadowRoot) visit(node.shadowRoot);
  node.childNodes.forEach(visit);
};
if (document.body) visit(document.body);
return {text: text.join(' ').replace(/\\s+/g, ' '), images, lines};
"""


def missing() -> str | None:
    """Why no browser can be driven here, or None."""
    for program in ("chromium", "chromedriver"):
        if shutil.which(program) is None:
            return f"needs {program} (Debian: apt-get install chromium chromium-driver)"
    return None


@contextlib.contextmanager
def program(command: list[str], announcement: str) -> Iterator[re.Match[str]]:
    """A program in the background, once it has said `announcement`; ended afterwards."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    said = ""
    try:
        for line in process.stdout:
            said += line
            if found := re.search(announcement, line):
                yield found
                break
        else:
            raise RuntimeError(f"{command[0]} ended: {said}")
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


class Browser:
    """One window."""

    def __init__(self, address: str, profile: Path) -> None:
        self._address = address
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
        flags += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
        flags += ["--window-size=1500,1100", "--hide-scrollbars", f"--user-data-dir={profile}"]
        chrome = {"goog:chromeOptions": {"binary": shutil.which("chromium"), "args": flags}}
        self._session = ""
        value = self._send("POST", "/session", {"capabilities": {"alwaysMatch": chrome}})
        self._session = f"/session/{value['sessionId']}"

    def open(self, url: str) -> None:
        """Load a page; a page of its own even where only the part after # differs."""
        self._send("POST", "/url", {"url": "about:blank"})
        self._send("POST", "/url", {"url": url})

    def run(self, script: str) -> Any:
        """The value of a script in the page."""
        return self._send("POST", "/execute/sync", {"script": script, "args": []})

    def until(self, holds: Callable[[dict[str, Any]], bool], seconds: float = 60) -> dict[str, Any]:
        """The page's text and images, once they are as wanted, or when the time is over."""
        end = time.monotonic() + seconds
        while True:
            late = time.monotonic() > end
            try:
                page = self.run(COLLECT)
            except urllib.error.HTTPError:  # a page that is busy drawing does not answer scripts
                if late:
                    raise
            else:
                if late or holds(page):
                    return page
            time.sleep(0.25)

    def resize(self, width: int, height: int) -> None:
        """Make the window so many pixels wide and high."""
        self._send("POST", "/window/rect", {"width": width, "height": height})

    def screenshot(self, path: Path) -> None:
        """What the window shows, as a PNG file."""
        path.write_bytes(base64.b64decode(self._send("GET", "/screenshot")))

    def close(self) -> None:
        """End the browser."""
        self._send("DELETE", "")

    def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._address + self._session + path, data, method=method)
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)["value"]


@contextlib.contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """A browser with a new profile in an empty folder."""
    with program(["chromedriver", "--port=0"], r"started successfully on port (\d+)") as said:
        window = Browser(f"http://127.0.0.1:{said[1]}", profile)
        try:
            yield window
        finally:
            window.close()
