//! What recordings tell about earlier releases on the same target. Never authority: whether a
//! version still exists only the cloud knows.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use wavegate_engine::event::Event;
use wavegate_report::recording::{self, RecordingInfo};

/// The releases of `app` on `target`, newest first, as far back as their numbers fall: where they
/// do not, the target began anew (a local cloud that was reset).
pub(super) fn releases(dir: &Path, app: &str, target: &str) -> Vec<RecordingInfo> {
    let mut infos: Vec<(SystemTime, RecordingInfo)> = recording::list(dir)
        .unwrap_or_default()
        .into_iter()
        .filter(|info| info.app == app && target_of(&info.path).as_deref() == Some(target))
        .map(|info| (written(&info.path), info))
        .collect();
    infos.sort_by(|(a, x), (b, y)| (b, y.number).cmp(&(a, x.number)));
    let mut lowest = u64::MAX;
    infos
        .into_iter()
        .map(|(_, info)| info)
        .take_while(|info| {
            let is_earlier = info.number < lowest;
            lowest = info.number;
            is_earlier
        })
        .collect()
}

/// When a recording was last written, on the machine's own clock: the release's may be virtual.
fn written(path: &Path) -> SystemTime {
    let modified = std::fs::metadata(path).and_then(|data| data.modified());
    modified.unwrap_or(SystemTime::UNIX_EPOCH)
}

fn target_of(path: &Path) -> Option<String> {
    let recording = recording::read(path).ok()?;
    recording.records.into_iter().find_map(|record| match record.event {
        Event::Started { target, .. } => Some(target),
        _ => None,
    })
}

/// The versions after release `number`; `None` if no release of that number is known to be done.
pub(super) fn versions_after(
    infos: &[RecordingInfo],
    number: u64,
) -> Option<BTreeMap<String, u64>> {
    let is_done = |info: &RecordingInfo| info.outcome.as_deref() == Some("done");
    infos.iter().find(|info| info.number == number && is_done(info))?;
    let oldest_first: Vec<RecordingInfo> = infos.iter().rev().cloned().collect();
    Some(recording::versions_after(&oldest_first, number))
}

/// What is known, in words, newest first.
pub(super) fn known(infos: &[RecordingInfo]) -> String {
    /// More would not be read.
    const SHOWN_MAX: usize = 10;
    let words: Vec<String> = infos
        .iter()
        .take(SHOWN_MAX)
        .map(|info| {
            format!("r{} ({})", info.number, info.outcome.as_deref().unwrap_or("not ended"))
        })
        .collect();
    if words.is_empty() {
        return "no release is recorded here".to_owned();
    }
    format!("recorded here: {}", words.join(", "))
}
