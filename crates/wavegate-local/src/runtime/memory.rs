//! How much memory a function's processes use, where the system tells (Linux).
//!
//! What the system can drop and read again (mapped files) is not held against a function, as in the
//! control groups that AWS uses.

/// What one process uses, in kilobytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Use {
    /// Memory of its own.
    own: u64,
    /// The most it ever had, mapped files included.
    peak: u64,
    /// Mapped files.
    files: u64,
}

/// Kilobytes that a process and its descendants use now; zero when the system does not tell.
pub(super) fn used_kb(root: i32) -> u64 {
    let mut all = 0;
    let mut processes = vec![root];
    while let Some(process) = processes.pop() {
        all += read(process).own;
        let path = format!("/proc/{process}/task/{process}/children");
        let children = std::fs::read_to_string(path).unwrap_or_default();
        processes.extend(children.split_ascii_whitespace().filter_map(|id| id.parse::<i32>().ok()));
    }
    all
}

/// The most that a process has ever used: all of it, and without mapped files. Zeros when the system
/// does not tell.
pub(super) fn peak_kb(process: i32) -> (u64, u64) {
    let used = read(process);
    (used.peak, used.peak.saturating_sub(used.files))
}

fn read(process: i32) -> Use {
    std::fs::read_to_string(format!("/proc/{process}/status"))
        .map(|status| parse(&status))
        .unwrap_or_default()
}

fn parse(status: &str) -> Use {
    let mut used = Use::default();
    for line in status.lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        let kilobytes = || value.trim().trim_end_matches("kB").trim().parse().unwrap_or(0);
        match name {
            "VmHWM" => used.peak = kilobytes(),
            "RssAnon" | "RssShmem" => used.own += kilobytes(),
            "RssFile" => used.files = kilobytes(),
            _ => {}
        }
    }
    used
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapped_files_are_not_a_process_own() {
        let status = "Name:\tcat\nVmHWM:\t    5000 kB\nRssAnon:\t    1000 kB\nRssFile:\t    \
                      3000 kB\nRssShmem:\t      24 kB\n";
        assert_eq!(parse(status), Use { own: 1024, peak: 5000, files: 3000 });
        assert_eq!(parse("Name:\tgone\n"), Use::default());
    }

    #[test]
    fn this_process_uses_memory() {
        let process = i32::try_from(std::process::id()).unwrap();
        if cfg!(target_os = "linux") {
            let (all, own) = peak_kb(process);
            assert!(used_kb(process) > 0 && all > own && own > 0);
        }
        assert_eq!(used_kb(i32::MAX), 0);
    }
}
