"""Opens pages of dzsim in headless Chromium, as a phone and as a desk see them, light and dark.

A page fails if it asks for anything beyond itself, if its console has an error, or if it is wider than the screen. The
screenshots are left for people to look at. Usage: check.py FOLDER-FOR-SCREENSHOTS PAGE...
"""

import base64
import json
import pathlib
import subprocess
import sys
import tempfile
import urllib.request

WIDTHS = {"phone": (390, 844), "desk": (1280, 900)}
SCHEMES = ["light", "dark"]
# The height of a screenshot at most, in CSS pixels.
TALLEST = 6000


def call(base, method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(base + path, data, {"Content-Type": "application/json"}, method=method)
    # A driver on this machine is asked directly, whatever proxy the environment names.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=60) as answer:
        return json.load(answer)["value"]


class Browser:
    """A driver with one browser, and an empty profile that goes with it."""

    def __enter__(self):
        self.profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True)
        port = None
        for line in self.driver.stdout:
            if "started successfully on port" in line:
                port = line.rstrip(".\n ").split()[-1]
                break
        if port is None:
            raise SystemExit("chromedriver did not start")
        base = f"http://127.0.0.1:{port}"
        options = {
            "args": [
                "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                f"--user-data-dir={self.profile.name}",
            ],
        }
        wanted = {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }
        session = call(base, "POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self.base = f"{base}/session/{session['sessionId']}"
        return self

    def __exit__(self, *_):
        try:
            call(self.base, "DELETE", "")
        finally:
            self.driver.terminate()
            self.driver.wait()
            self.profile.cleanup()

    def devtools(self, command, **params):
        return call(self.base, "POST", "/goog/cdp/execute", {"cmd": command, "params": params})

    def script(self, text):
        return call(self.base, "POST", "/execute/sync", {"script": text, "args": []})

    def log(self, kind):
        return call(self.base, "POST", "/se/log", {"type": kind})

    def open(self, url, width, height, scheme):
        self.devtools(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        self.devtools(
            "Emulation.setEmulatedMedia", media="screen", features=[{"name": "prefers-color-scheme", "value": scheme}]
        )
        for kind in ["browser", "performance"]:
            self.log(kind)
        call(self.base, "POST", "/url", {"url": url})

    def requests(self):
        """What the page asked for, itself included."""
        asked = []
        for entry in self.log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                asked.append(message["params"]["request"]["url"])
        return asked


def check(browser, page, shots):
    url = page.resolve().as_uri()
    wrong = []
    for name, (width, height) in WIDTHS.items():
        for scheme in SCHEMES:
            where = f"{page.name}, {name}, {scheme}"
            browser.open(url, width, height, scheme)
            # Everything that can be opened is.
            browser.script("document.querySelectorAll('details').forEach(part => { part.open = true })")
            others = [asked for asked in browser.requests() if asked != url and not asked.startswith("data:")]
            wrong += [f"{where}: it asks for {asked}" for asked in others]
            wrong += [f"{where}: {entry['message']}" for entry in browser.log("browser") if entry["level"] != "INFO"]
            wide = browser.script("return document.documentElement.scrollWidth")
            if wide > width:
                widest = browser.script(
                    "return [...document.querySelectorAll('body *')].filter(part => part.getBoundingClientRect().right > "
                    "innerWidth + 1 && !part.closest('.scroll, .draw')).slice(0, 3).map(part => part.outerHTML.slice(0, 120))"
                )
                wrong.append(f"{where}: {wide} pixels wide: {widest}")
            pictures = browser.script(
                "return [...document.querySelectorAll('.picture')].filter(part => !part.querySelector('table tbody tr')).length"
            )
            if pictures:
                wrong.append(f"{where}: {pictures} pictures without a table")
            browser.script("document.querySelectorAll('.picture details').forEach(part => { part.open = false })")
            tall = min(TALLEST, browser.script("return document.documentElement.scrollHeight"))
            clip = {"x": 0, "y": 0, "width": width, "height": tall, "scale": 1}
            shot = browser.devtools("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
            (shots / f"{page.stem}-{name}-{scheme}.png").write_bytes(base64.b64decode(shot["data"]))
    return wrong


def main():
    shots, *pages = map(pathlib.Path, sys.argv[1:])
    shots.mkdir(parents=True, exist_ok=True)
    if not pages:
        raise SystemExit("no page to check")
    wrong = []
    with Browser() as browser:
        for page in pages:
            wrong += check(browser, page, shots)
    for line in wrong:
        print(line, file=sys.stderr)
    print(f"{len(pages)} pages, {len(WIDTHS) * len(SCHEMES)} views each, {len(wrong)} wrong; screenshots in {shots}")
    raise SystemExit(1 if wrong else 0)


main()
