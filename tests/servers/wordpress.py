"""A real WordPress on 127.0.0.1: PHP's own web server, a MariaDB without a network, and a folder that is thrown away.

Needs Debian's php-cli, php-mysql, php-xml, mariadb-server-core, mariadb-client-core and the files of its package
wordpress (``HANDBILL_TEST_WORDPRESS``, or where the package puts them). Nothing outside this machine is spoken to.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Self

from tests.ports import free_port

PLACES = (
    os.environ.get("HANDBILL_TEST_WORDPRESS", ""),
    "/usr/local/share/handbill-test/usr/share/wordpress",
    "/usr/share/wordpress",
)
PROGRAMS = ("php", "mariadbd", "mariadb")
PLUGIN = Path(__file__).parents[2] / "templates" / "sources" / "handbill.php"

CONFIG = """<?php
define( 'DB_NAME', 'wordpress' ); define( 'DB_USER', 'root' ); define( 'DB_PASSWORD', '' );
define( 'DB_HOST', 'localhost:%(socket)s' ); define( 'DB_CHARSET', 'utf8mb4' ); define( 'DB_COLLATE', '' );
foreach ( array( 'AUTH', 'SECURE_AUTH', 'LOGGED_IN', 'NONCE' ) as $n ) { define( $n . '_KEY', $n ); define( $n . '_SALT', $n ); }
$table_prefix = 'wp_';
define( 'WP_HOME', '%(url)s' ); define( 'WP_SITEURL', '%(url)s' ); define( 'WP_CONTENT_DIR', '%(content)s' );
define( 'WP_CONTENT_URL', '%(url)s/wp-content' ); define( 'WP_ENVIRONMENT_TYPE', 'local' );
define( 'AUTOMATIC_UPDATER_DISABLED', true ); define( 'WP_HTTP_BLOCK_EXTERNAL', true );
define( 'WP_ACCESSIBLE_HOSTS', '127.0.0.1,localhost' ); define( 'WP_DEBUG', false );
define( 'WP_DEFAULT_THEME', 'lantern' ); define( 'WP_CRON_LOCK_TIMEOUT', 2 );
if ( ! defined( 'ABSPATH' ) ) { define( 'ABSPATH', __DIR__ . '/' ); }
require_once ABSPATH . 'wp-settings.php';
"""

INSTALL = """
require_once ABSPATH . 'wp-admin/includes/upgrade.php';
wp_install( 'The Larkhaven Lantern', 'editor', 'editor@lantern.example', true, '', 'a-password-for-tests' );
update_option( 'ping_sites', '' );
update_option( 'permalink_structure', '/%postname%/' );
list( $password ) = WP_Application_Passwords::create_new_application_password( 1, array( 'name' => 'tests' ) );
echo json_encode( array( 'password' => $password, 'version' => $GLOBALS['wp_version'] ) );
"""

ROUTER = """<?php
$path = parse_url( $_SERVER['REQUEST_URI'], PHP_URL_PATH );
if ( $path !== '/' && is_file( __DIR__ . $path ) ) { return false; }
$_SERVER['SCRIPT_NAME'] = '/index.php'; require __DIR__ . '/index.php';
"""


def missing() -> str:
    """What a WordPress needs and this machine does not have, in words; empty if it has all."""
    absent = [p for p in PROGRAMS if not _program(p)]
    if absent:
        return f"{', '.join(absent)} not installed (see .ci/run)"
    return "" if _files() else "the files of Debian's package wordpress are not here (see .ci/run)"


def _program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")


def _files() -> Path | None:
    return next((Path(p) for p in PLACES if p and (Path(p) / "wp-load.php").exists()), None)


class WordPress:
    """A site with one editor, which pings nobody and has no plugins."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.host}"
        self._running: list[subprocess.Popen[bytes]] = []
        self.version = self._password = ""

    def __enter__(self) -> Self:
        try:
            self._database()
            self._site()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End what was started."""
        for process in reversed(self._running):
            # The whole group: the workers of PHP's server outlive the process that made them.
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(10)
        self._running.clear()

    def publish(self, title: str, content: str, **values: object) -> dict[str, object]:
        """Publish a post through the REST API, as the editor in a browser does."""
        return self.rest("POST", "/wp/v2/posts", {"title": title, "content": content, "status": "publish", **values})

    def rest(self, method: str, path: str, body: object = None) -> dict[str, object]:
        """One call of the REST API as the editor; ``?rest_route=`` needs no rewriting."""
        token = base64.b64encode(f"editor:{self._password}".encode()).decode()
        request = urllib.request.Request(
            f"{self.url}/index.php?rest_route={path}",
            json.dumps(body).encode() if body is not None else None,
            {"Content-Type": "application/json", "Authorization": f"Basic {token}"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def ping(self, address: str) -> None:
        """Settings, Writing, Update Services: this address alone."""
        self._run(f"update_option( 'ping_sites', '{address}' );")

    def plug_in(self, address: str, secret: str) -> None:
        """The plugin that Handbill ships, as its first lines say."""
        shutil.copy(PLUGIN, self.folder / "content" / "mu-plugins")
        config = self.folder / "www" / "wp-config.php"
        lines = f"define( 'HANDBILL_HOOK', '{address}' );\ndefine( 'HANDBILL_SECRET', '{secret}' );\n"
        config.write_text(config.read_text().replace("<?php\n", f"<?php\n{lines}", 1))

    def visit(self, path: str = "/") -> int:
        """Somebody looks at the site, which is what starts wp-cron."""
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            answer.read()
            return answer.status

    def _database(self) -> None:
        data = self.folder / "db"
        data.mkdir(parents=True)
        # A socket's path may have 107 bytes only, and a test's folder has more.
        self._socket = Path(f"/tmp/handbill-wp-{os.getpid()}-{self.port}.sock")
        options = [
            *("--no-defaults", f"--datadir={data}", f"--socket={self._socket}", f"--pid-file={self.folder / 'db.pid'}"),
            *("--skip-networking", "--skip-grant-tables", "--innodb-log-file-size=8M", "--innodb-buffer-pool-size=32M"),
            *("--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0", "--performance-schema=OFF"),
            *(["--user=root"] if os.geteuid() == 0 else []),
        ]
        self._start([str(_program("mariadbd")), *options], "db.log")
        create = [str(_program("mariadb")), "--no-defaults", "-S", str(self._socket), "-e", "CREATE DATABASE wordpress"]
        self._until(lambda: subprocess.run(create, capture_output=True, check=False).returncode == 0, "db.log")

    def _site(self) -> None:
        www, content, files = self.folder / "www", self.folder / "content", _files()
        www.mkdir()
        assert files is not None
        for found in files.glob("*.php"):
            if found.name != "wp-config.php":
                shutil.copy(found, www / found.name)
        for name in ("wp-includes", "wp-admin"):
            (www / name).symlink_to(files / name)
        for name in ("mu-plugins", "plugins", "uploads", "themes/lantern"):
            (content / name).mkdir(parents=True)
        # A theme is not in the package; this one prints what a theme must.
        (content / "themes/lantern/style.css").write_text("/* Theme Name: Lantern */")
        (content / "themes/lantern/functions.php").write_text(
            "<?php add_theme_support( 'title-tag' ); add_theme_support( 'automatic-feed-links' );"
        )
        (content / "themes/lantern/index.php").write_text(
            "<!doctype html><html <?php language_attributes(); ?>><head><?php wp_head(); ?></head><body><?php while ( have_posts() ) "
            "{ the_post(); echo '<article><h1>'; the_title(); echo '</h1>'; the_content(); echo '</article>'; } wp_footer(); ?></body></html>"
        )
        (www / "wp-content").symlink_to(content)
        (www / "router.php").write_text(ROUTER)
        facts = {"socket": self._socket, "url": self.url, "content": content, "host": self.host}
        (www / "wp-config.php").write_text(CONFIG % facts)
        found = json.loads(self._run(INSTALL, "define( 'WP_INSTALLING', true );"))
        self.version, self._password = found["version"], found["password"]
        # wp-cron is a request of the site to itself, so one worker would wait for itself.
        os.environ["PHP_CLI_SERVER_WORKERS"] = "4"
        try:
            self._start(
                [str(_program("php")), *self._php(), "-S", self.host, "-t", str(www), str(www / "router.php")],
                "php.log",
            )
        finally:
            del os.environ["PHP_CLI_SERVER_WORKERS"]
        self._until(self._answers, "php.log")
        self._settle()

    def _run(self, code: str, before: str = "") -> str:
        """The last line that PHP printed, run inside the site."""
        www = self.folder / "www"
        start = f"{before} $_SERVER['HTTP_HOST'] = '{self.host}'; require '{www}/wp-load.php';"
        command = [str(_program("php")), *self._php(), "-r", f"{start} {code} echo PHP_EOL . 'done';"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=www)
        lines = done.stdout.splitlines()
        assert lines[-1:] == ["done"], f"{done.stdout[-2000:]} {done.stderr[-2000:]}"
        return next((x for x in reversed(lines[:-1]) if x.startswith("{")), "")

    def _php(self) -> list[str]:
        return [
            "-d",
            "sendmail_path=/bin/true",
            "-d",
            "display_errors=0",
            "-d",
            "opcache.enable_cli=1",
            "-d",
            "opcache.revalidate_freq=0",
        ]

    def _settle(self) -> None:
        """The first run of wp-cron does what a new site has to do; while it lasts no other one starts."""
        self.visit()
        with urllib.request.urlopen(f"{self.url}/wp-cron.php", timeout=60) as answer:
            answer.read()

    def _answers(self) -> bool:
        try:
            return self.visit("/index.php?rest_route=/") == 200
        except OSError:
            return False

    def _start(self, command: list[str], log: str) -> None:
        with (self.folder / log).open("wb") as file:
            self._running.append(
                subprocess.Popen(command, stdout=file, stderr=file, stdin=subprocess.DEVNULL, start_new_session=True)
            )

    def _until(self, ready: object, log: str, seconds: float = 60.0) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if ready():  # type: ignore[operator]
                return
            if self._running[-1].poll() is not None:
                break
            time.sleep(0.1)
        raise AssertionError(f"it did not start: {(self.folder / log).read_text()[-2000:]}")
