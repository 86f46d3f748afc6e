"""Types the commands of a transcript into the AWS CLI, unmodified, and compares what it prints.

    cli.py TRANSCRIPT URL DIRECTORY [PROGRAM]

Without PROGRAM the CLI runs inside this process, since starting it anew takes a second each time. In the
transcript a line that begins with `$` is a command, and what follows is what it prints, with `...` for
anything; a command with nothing below it has to succeed. `until` before a command has it typed again and
again, for a while, until it is so; `name=` keeps what it prints as `{name}`. `{dir}` is DIRECTORY.
"""

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
import time
import zipfile
from pathlib import Path

TRANSCRIPT, URL, DIRECTORY, *PROGRAM = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), *sys.argv[4:]
os.environ.update(
    AWS_ENDPOINT_URL=URL, AWS_ACCESS_KEY_ID="cli", AWS_SECRET_ACCESS_KEY="cli", AWS_PAGER="",
    AWS_DEFAULT_REGION="us-east-1", AWS_REGION="us-east-1", AWS_CONFIG_FILE=os.devnull,
    AWS_SHARED_CREDENTIALS_FILE=os.devnull,
)


def package(name, text):
    with zipfile.ZipFile(DIRECTORY / name, "w") as archive:
        archive.writestr("app.py", text)


def aws(words):
    if PROGRAM:
        # Older ones do not read the variable.
        command = [*PROGRAM, "--endpoint-url", URL, *words]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        return ended.returncode, ended.stdout, ended.stderr
    from awscli.clidriver import create_clidriver  # It reads the variables.

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = create_clidriver().main(words)
        except SystemExit as ended:  # What it does of a command that it does not know.
            code = ended.code
    return code, out.getvalue(), err.getvalue()


def fits(wanted, found):
    pattern = re.escape(wanted.strip()).replace(re.escape("..."), ".*")
    return re.fullmatch(pattern, found.strip(), re.DOTALL) is not None


def transcript():
    command, wanted = None, []
    for line in TRANSCRIPT.read_text().splitlines():
        if line.startswith("#"):
            continue
        if line.startswith("$ "):
            if command:
                yield command, "\n".join(wanted)
            command, wanted = line[2:], []
        elif command and line.startswith("  ") and not wanted:
            command += line
        else:
            wanted.append(line)
    yield command, "\n".join(wanted)


def main():
    package("v1.zip", "def handler(event, context):\n    print('hello')\n    return {'version': 1}\n")
    (DIRECTORY / "large").write_bytes(bytes(5 << 20))
    package("v2.zip", "def handler(event, context):\n    return {'version': 2}\n")
    failed, kept = 0, {"dir": str(DIRECTORY)}
    for command, wanted in transcript():
        for name, value in kept.items():
            command = command.replace(f"{{{name}}}", value)
        words = shlex.split(command)
        again = 50 if words[0] == "until" else 1
        keep = words[0][:-1] if words[0].endswith("=") else None
        words = words[1:] if again > 1 or keep else words
        for _ in range(again):
            code, out, err = aws(words)
            said = out if code == 0 else err
            right = fits(wanted, said) if wanted.strip() else code == 0
            if right:
                break
            time.sleep(0.1)
        if keep:
            kept[keep] = out.strip().strip('"')
        if not right:
            failed += 1
            print(f"$ {command}\nwanted: {wanted}\nfound ({code}): {said}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
