//! Processes and files that are none of the test's own: the only way to wait for them is to look
//! again.

use std::path::Path;
use std::time::Duration;

use wavegate_tests::binary::LIMIT;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// Waits for what there is no event of, up to the limit of all tests.
#[track_caller]
pub(crate) fn await_that(what: &str, mut is_so: impl FnMut() -> bool) {
    let looks = LIMIT.as_millis() / PAUSE.as_millis();
    for _ in 0..looks {
        if is_so() {
            return;
        }
        std::thread::sleep(PAUSE);
    }
    panic!("it never came true that {what}");
}

/// Waits for the number that a plugin notes in a file.
#[track_caller]
pub(crate) fn await_note(path: &Path) -> i32 {
    let noted = || std::fs::read_to_string(path).ok()?.parse().ok();
    await_that(&format!("{} is there", path.display()), || noted().is_some());
    noted().expect("a number")
}

/// Waits until a process has ended.
#[track_caller]
pub(crate) fn await_end(pid: i32) {
    await_that(&format!("process {pid} has ended"), || has_ended(pid));
}

/// Whether a process has ended, also if nobody has asked yet how.
fn has_ended(pid: i32) -> bool {
    let Ok(status) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return true };
    // PID (NAME) STATE ...
    let state = status.rsplit_once(") ").map(|(_, rest)| rest);
    state.is_none_or(|state| state.starts_with(['Z', 'X']))
}
