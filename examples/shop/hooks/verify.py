"""Asks the alias, after its promotion, whether it really serves the version that was promoted.

A `command` hook: what it judges is in WAVEGATE_* variables, where the cloud is in AWS_* ones. Exit
code 0 passes, 75 means "not yet" and it is run again, anything else fails the release.
"""

import os
import pathlib
import sys

FUNCTIONS = pathlib.Path(__file__).resolve().parent.parent / "functions"
sys.dont_write_bytecode = True  # What lies beside the code would be packaged with it.
sys.path.insert(0, str(FUNCTIONS / "checkout-smoke"))

from lambda_api import InvokeError, invoke  # noqa: E402

NOT_YET = 75
ASKED = 5


def main():
    function, alias = os.environ["WAVEGATE_FUNCTION"], os.environ["WAVEGATE_ALIAS"]
    wanted = os.environ["WAVEGATE_CANDIDATE_VERSION"]
    try:
        served = [invoke(function, {}, alias)[1] for _ in range(ASKED)]
    except InvokeError as error:
        print(f"{function}:{alias} does not answer: {error}")
        return 1
    others = sorted({version for version in served if version != wanted})
    if others:
        # AWS may route the old way for some seconds after an alias was written.
        print(f"{function}:{alias} still serves {', '.join(others)} beside {wanted}")
        return NOT_YET
    print(f"{function}:{alias} answered {ASKED} times with version {wanted}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
