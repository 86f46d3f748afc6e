//! Views that are really made, where the system lets them be.

use super::*;
use crate::runtime::interpreter::Launch;

/// A directory as a cloud has it, with code, layers and a scratch directory.
struct Stage {
    directory: tempfile::TempDir,
    views: Views,
}

impl Stage {
    /// None where the system lets processes have no views.
    async fn new(directory: tempfile::TempDir) -> Option<Self> {
        for name in ["code", "scratch", "needed/bin", "lower", "upper"] {
            std::fs::create_dir_all(directory.path().join(name)).unwrap();
        }
        let run = directory.path().join("with space");
        let views = Views::new(&run).unwrap();
        views.are_possible().await.then_some(Self { directory, views })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn entry(&self) -> Entry {
        let layers = ["lower", "upper"].map(|name| self.path(name));
        let mounts = Mounts {
            root: &self.path("code"),
            clients: &self.path("with space"),
            scratch: &self.path("scratch"),
            scratch_mb: 1,
            layers: &layers,
            needs: &[self.path("needed"), self.path("needed/bin")],
        };
        self.views.open(&mounts, self.path("table")).unwrap()
    }
}

/// What a script prints in a view.
async fn said(entry: &Entry, script: &str) -> String {
    let launch = Launch {
        program: "/bin/sh".into(),
        arguments: vec!["-c".into(), script.into()],
        variables: Vec::new(),
        needs: Vec::new(),
    };
    let launch = entry.through(&launch);
    let (stdin, door) = entry.door().unwrap();
    let mut command = Command::new(launch.program);
    command.args(launch.arguments).stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
    let process = command.spawn().unwrap();
    drop(command);
    if let Some(door) = door {
        entry.meet(door, i32::try_from(process.id().unwrap()).unwrap()).await;
    }
    let output = process.wait_with_output().await.unwrap();
    format!(
        "{}{}",
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[tokio::test]
async fn a_process_sees_what_it_would_see_on_aws() {
    // Where a state directory may lie: in the machine's own `/tmp`, and below `/var`, too.
    for place in [tempfile::tempdir(), tempfile::tempdir_in("/var/tmp")] {
        let Some(stage) = Stage::new(place.unwrap()).await else { return };
        std::fs::write(stage.path("code/app"), "code").unwrap();
        for (layer, text) in [("lower", "1"), ("upper", "2")] {
            std::fs::write(stage.path(layer).join("which"), text).unwrap();
        }
        let entry = stage.entry();
        let script = "pwd; cat app /opt/which; touch /var/x 2> /dev/null || echo no
                      env | grep -c OLDPWD; test -e /bin/bash && set -o pipefail; whoami; echo ~sbx_user1051
                      stat -c %A /tmp; id -u; test -s /dev/stdin || echo none";
        let wanted =
            "/var/task\ncode2no\n0\nsbx_user1051\n/home/sbx_user1051\ndrwxrwxrwt\n0\nnone\n";
        assert_eq!(said(&entry, script).await, wanted);
        assert!(!Path::new("/var/task/app").exists(), "nobody else sees it");
    }
}

#[tokio::test]
async fn a_tmp_is_an_environments_own_and_of_its_size() {
    let Some(stage) = Stage::new(tempfile::tempdir().unwrap()).await else { return };
    let entry = stage.entry();
    std::fs::write(stage.path("needed/bin/tool"), "here").unwrap();
    let needed = stage.path("needed/bin/tool").display().to_string();
    assert_eq!(
        said(&entry, &format!("echo note > /tmp/wavegate-note; cat {needed}")).await,
        "here"
    );
    // The next process of the environment, and the first one of another.
    assert_eq!(said(&entry, "cat /tmp/wavegate-note").await, "note\n");
    let other = stage.entry();
    assert_eq!(said(&other, "cat /tmp/wavegate-note 2> /dev/null || echo none").await, "none\n");
    let fill = "for size in 512 1024; do head -c ${size}K /dev/zero 2> /dev/null > /tmp/big && echo $size; done";
    assert_eq!(said(&entry, fill).await, "512\n");
    assert!(!Path::new("/tmp/wavegate-note").exists());
    assert_eq!(std::fs::read_dir(stage.path("scratch")).unwrap().count(), 0);
}

#[test]
fn only_what_lies_in_tmp_has_to_be_shown() {
    let needs = ["/usr/bin", "/tmp", "/tmp/no-such-directory"].map(PathBuf::from);
    assert!(hidden(&needs).is_empty());
    assert!(Views::can_lay(&["/srv/layer".into()]));
    assert!(!Views::can_lay(&["/srv/layer".into(), "/opt/state/layer".into()]));
}

#[test]
fn tables_have_no_spaces_of_names() {
    assert_eq!(escaped(Path::new("/a b\\c")), "/a\\040b\\134c");
}
