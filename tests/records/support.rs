//! What the tests of records have in common.

use std::path::PathBuf;

use wavegate_tests::binary::{Finished, LocalCloud, Project};

use crate::app::{mini, set_message};

/// An app of one function, on a cloud whose state lies elsewhere, as AWS's does.
pub(crate) fn alone() -> (Project, LocalCloud) {
    let project = mini(&[("shop", &[])], "");
    let cloud = project.start_cloud(&[]);
    (project, cloud)
}

/// Where the records are.
pub(crate) fn file(project: &Project) -> PathBuf {
    project.path(".wavegate/records.db")
}

/// Deploys other code.
pub(crate) fn deploy(project: &Project, message: &str) -> Finished {
    set_message(project, "shop", message);
    project.deploy()
}

/// The same, and it went well: the next version is served, and nothing was said but one warning of
/// that code.
#[track_caller]
pub(crate) fn deploy_with_one_warning(project: &Project, version: u64, code: &str) -> Finished {
    let done = deploy(project, &format!("version {version}")).expect(0);
    assert_eq!(done.outcome(), "done", "{done}");
    assert_eq!(project.status().serves("shop"), Some(version), "{done}");
    one_warning(&done, code);
    done
}

/// The only thing that was said is a warning of that code.
#[track_caller]
pub(crate) fn one_warning(ended: &Finished, code: &str) {
    let warnings: Vec<&str> =
        ended.stderr.lines().filter(|line| line.starts_with("warning")).collect();
    assert_eq!(warnings.len(), 1, "{ended}");
    assert!(warnings[0].starts_with(&format!("warning[{code}]: ")), "{ended}");
}

/// A release ended well and nothing was said about records.
#[track_caller]
pub(crate) fn silently(ended: &Finished) {
    assert!(!ended.stderr.contains("warning"), "{ended}");
}

/// The numbers of the recorded releases, newest first.
pub(crate) fn recorded(project: &Project) -> Vec<u64> {
    let listed = project.run(&["history", "--output", "json"]).expect(0).json();
    let releases = listed["releases"].as_array().into_iter().flatten();
    releases.filter_map(|release| release["number"].as_u64()).collect()
}

/// Runs some lines of Python on the records.
pub(crate) fn sql(project: &Project, statements: &str) {
    let script = format!(
        "import sqlite3\nc = sqlite3.connect(r'{}')\nc.executescript('''{statements}''')\nc.close()",
        file(project).display()
    );
    let _ = project.tool("python3", &["-c", &script]).expect(0);
}
