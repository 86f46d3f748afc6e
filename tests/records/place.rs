//! Where records are: who may read them, and a place that is full, closed or gone.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;
use wavegate_tests::binary::{Finished, Project, wavegate};

use crate::app::{LONG, set_message, set_strategy};
use crate::support::{alone, deploy, file, one_warning, recorded, silently};

fn modes(directory: &Path, found: &mut BTreeMap<PathBuf, u32>) {
    for entry in fs::read_dir(directory).expect("a file") {
        let path = entry.expect("a file").path();
        let mode = fs::symlink_metadata(&path).expect("a file").permissions().mode();
        found.insert(path.clone(), mode & 0o777);
        if path.is_dir() {
            modes(&path, found);
        }
    }
}

#[test]
fn records_are_their_owners_alone_under_any_umask() {
    let (project, _cloud) = alone();
    let home = project.path(".wavegate");
    for (version, umask) in [(1, "000"), (2, "077"), (3, "277")] {
        for name in ["records.db", "records.db-wal", "records.db-shm"] {
            let _ = fs::remove_file(home.join(name));
        }
        fs::set_permissions(&home, Permissions::from_mode(0o755)).unwrap();
        set_message(&project, "shop", umask);
        let script = format!("umask {umask}; exec '{}' deploy --yes", wavegate().display());
        let done = project.tool("sh", &["-c", &script]).expect(0);
        silently(&done);
        assert_eq!(project.status().serves("shop"), Some(version));
        assert_eq!(fs::metadata(&home).unwrap().permissions().mode() & 0o777, 0o700);
        let mut found = BTreeMap::new();
        modes(&home, &mut found);
        let open = |(path, mode): &(&PathBuf, &u32)| {
            // The cloud's own things lie in a directory that is closed.
            !path.starts_with(home.join("local/")) && **mode & 0o077 != 0
        };
        assert_eq!(found.iter().find(open), None, "{umask}");
        assert_eq!(found[&home.join("records.db")], 0o600, "{umask}");
        assert_eq!(recorded(&project), [version]);
    }
}

#[test]
fn a_full_disk_ends_the_recording_and_no_release() {
    let (project, _cloud) = alone();
    silently(&deploy(&project, "one").expect(0));
    let size = fs::metadata(file(&project)).unwrap().len();
    // No file of the process may grow beyond so many blocks of 512 bytes: there is room for some of
    // the log, or for the log and nothing more in the file, or for nothing at all.
    for (version, blocks) in [(2, size / 512), (3, 16), (4, 1)] {
        set_message(&project, "shop", &format!("{version}"));
        let script = format!(
            "trap '' XFSZ; ulimit -f {blocks}; exec '{}' deploy --yes --output json",
            wavegate().display()
        );
        let done = project.tool("sh", &["-c", &script]).expect(0);
        assert_eq!(done.outcome(), "done", "{done}");
        one_warning_of(&done, &["WG655", "WG653"]);
        assert_eq!(project.status().serves("shop"), Some(version), "{done}");
    }
    // What was recorded is still there, and there is room again.
    silently(&deploy(&project, "five").expect(0));
    let recorded = recorded(&project);
    assert_eq!((recorded.first(), recorded.last()), (Some(&5), Some(&1)));
}

#[track_caller]
fn one_warning_of(ended: &Finished, codes: &[&str]) {
    let code = codes.iter().find(|code| ended.stderr.contains(&format!("warning[{code}]")));
    one_warning(ended, code.unwrap_or_else(|| panic!("none of {codes:?}\n{ended}")));
}

#[test]
fn a_full_disk_in_mid_release_does_not_keep_it_from_going_back() {
    let (project, _cloud) = alone();
    silently(&deploy(&project, "one").expect(0));
    set_strategy(&project, LONG);
    set_message(&project, "shop", "two");
    let script = format!(
        "trap '' XFSZ; ulimit -f 64; '{}' deploy --yes --output json & pid=$!; trap \"kill -INT \
         $pid\" TERM; wait $pid; wait $pid",
        wavegate().display()
    );
    let mut deploy = project.spawn_tool("sh", &["-c", &script]);
    deploy.wait_weight("shop", 2500);
    deploy.signal(Signal::SIGTERM);
    let ended = deploy.finish().expect(1);
    assert_eq!(ended.outcome(), "rolled_back", "{ended}");
    one_warning_of(&ended, &["WG655", "WG653"]);
    assert_eq!(project.status().serves("shop"), Some(1));
}

/// Runs wavegate as somebody whom directories can be closed to: root is not, while it has the
/// capabilities for it.
fn as_a_user(project: &Project, arguments: &[&str]) -> Finished {
    if !nix::unistd::Uid::effective().is_root() {
        return project.run(arguments);
    }
    let binary = wavegate().display().to_string();
    let mut all = vec!["--bounding-set", "-dac_override,-dac_read_search", &binary];
    all.extend(arguments);
    project.tool("setpriv", &all)
}

#[test]
fn a_directory_that_cannot_be_written_is_told_and_read() {
    let (mut project, cloud) = alone();
    silently(&deploy(&project, "one").expect(0));
    project.use_as_aws(&cloud.cloud);
    silently(&deploy(&project, "two").expect(0));
    let home = project.path(".wavegate");
    fs::set_permissions(&home, Permissions::from_mode(0o500)).unwrap();
    fs::set_permissions(file(&project), Permissions::from_mode(0o400)).unwrap();

    set_message(&project, "shop", "three");
    let done = as_a_user(&project, &["deploy", "--yes", "--output", "json"]).expect(0);
    assert_eq!(done.outcome(), "done", "{done}");
    one_warning(&done, "WG653");
    let listed = as_a_user(&project, &["history"]).expect(0);
    assert!(listed.stdout.contains("r2") && !listed.stdout.contains("r3"), "{listed}");
    let _ = as_a_user(&project, &["rollback", "--yes"]).expect(0);
    fs::set_permissions(&home, Permissions::from_mode(0o700)).unwrap();
    assert_eq!(project.status().serves("shop"), Some(2));
}

#[test]
fn a_directory_deleted_in_mid_release_costs_the_recording_alone() {
    let (mut project, cloud) = alone_elsewhere();
    project.use_as_aws(&cloud.cloud);
    silently(&deploy(&project, "one").expect(0));
    set_strategy(&project, LONG);
    set_message(&project, "shop", "two");
    let mut deploy = project.begin_deploy();
    deploy.wait_weight("shop", 2500);
    fs::remove_dir_all(project.path(".wavegate")).unwrap();
    deploy.signal(Signal::SIGINT);
    let ended = deploy.finish().expect(1);
    assert_eq!(ended.outcome(), "rolled_back", "{ended}");
    one_warning(&ended, "WG656");
    assert_eq!(project.status().serves("shop"), Some(1));
    assert!(!file(&project).exists());
    // The next one begins anew.
    set_strategy(&project, "AllAtOnce");
    silently(&project.deploy().expect(0));
    assert_eq!(recorded(&project), [3]);
}

/// An app on a cloud whose state lies outside of its directory.
fn alone_elsewhere() -> (Project, wavegate_tests::binary::LocalCloud) {
    let project = crate::app::mini(&[("shop", &[])], "");
    let state = project.outside("cloud").display().to_string();
    let cloud = project.start_cloud(&["--state", &state]);
    (project, cloud)
}

#[test]
fn two_releases_in_one_directory_are_recorded_at_once() {
    let (project, _cloud) = alone();
    let other = project
        .read("deploy.toml")
        .replace("\"mini\"", "\"other\"")
        .replace("[functions.shop]", "[functions.shop]\nname = \"other-shop\"");
    project.write("other.toml", &other);
    let mut arguments = vec!["deploy", "--yes", "--output", "json"];
    for round in 1..=3 {
        set_message(&project, "shop", &format!("round {round}"));
        let first = project.spawn(&arguments);
        arguments.extend(["-c", "other.toml"]);
        let second = project.spawn(&arguments);
        arguments.truncate(4);
        for ended in [first.finish().expect(0), second.finish().expect(0)] {
            assert_eq!(ended.outcome(), "done", "{ended}");
            silently(&ended);
        }
    }
    assert_eq!(recorded(&project), [3, 2, 1]);
    let listed = project.run(&["history", "-c", "other.toml"]).expect(0).stdout;
    assert!(listed.starts_with("other on local cloud"), "{listed}");
    assert_eq!(listed.lines().count(), 5, "{listed}");
}
