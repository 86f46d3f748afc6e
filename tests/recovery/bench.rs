//! A prepared app and its cloud, copied for every trial: the state after a first release, and the next
//! release laid out beside it.

use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;
use wavegate_tests::binary::{Finished, Project, Running};
use wavegate_tests::hosted::{Hosted, Signpost};
use wavegate_tests::proxy::Proxy;

/// What every trial starts from.
pub(crate) struct Prepared {
    cloud: TempDir,
    project: Project,
    time_scale: f64,
}

impl Prepared {
    /// Deploys `project` to a new cloud, lets `after` see both, and lays out the next release.
    pub(crate) fn new(
        project: Project,
        time_scale: f64,
        before: impl FnOnce(&Hosted),
        after: impl FnOnce(&Hosted, &Project),
    ) -> Arc<Self> {
        let cloud = TempDir::with_prefix("wavegate-cloud-").expect("a directory");
        {
            let hosted = Hosted::start(cloud.path(), time_scale);
            let sign = Signpost::put_up(&project, &hosted.record_at(&hosted.direct.url));
            before(&hosted);
            let _ = project.deploy().expect(0);
            after(&hosted, &project);
            drop(sign);
        }
        Arc::new(Self { cloud, project, time_scale })
    }

    /// A copy to try something on.
    pub(crate) fn copy(&self) -> Trial {
        let dir = TempDir::with_prefix("wavegate-trial-").expect("a directory");
        copy_all(self.cloud.path(), dir.path());
        let project = Project::new();
        copy_all(&self.project.path(""), &project.path(""));
        let cloud = Hosted::start(dir.path(), self.time_scale);
        let proxy = Proxy::start(&cloud.direct.url, cloud.clock());
        let sign = Signpost::put_up(&project, &cloud.record_at(&proxy.url));
        Trial { sign, proxy, cloud, project, _dir: dir }
    }
}

/// One app, its own cloud, and a proxy between the two.
pub(crate) struct Trial {
    pub(crate) sign: Signpost,
    pub(crate) proxy: Proxy,
    pub(crate) cloud: Hosted,
    pub(crate) project: Project,
    _dir: TempDir,
}

impl Trial {
    /// Starts a deploy; what kills through the proxy kills it.
    pub(crate) fn begin_deploy(&self) -> Running {
        let running = self.project.begin_deploy();
        self.proxy.aim(running.pid());
        running
    }

    /// A deploy to its end, whatever that is.
    pub(crate) fn deploy(&self) -> Finished {
        self.begin_deploy().finish()
    }

    /// Forgets all that the machine knew: what a new CI runner has.
    pub(crate) fn forget(&mut self) {
        std::fs::remove_dir_all(self.project.path(".wavegate")).expect("records");
        self.sign = Signpost::put_up(&self.project, &self.cloud.record_at(&self.proxy.url));
    }
}

/// Copies a directory as it is. What is gone when its turn comes was temporary.
fn copy_all(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory");
    for entry in std::fs::read_dir(from).expect("a directory").flatten() {
        let path = entry.path();
        let place = to.join(entry.file_name());
        if path.is_dir() {
            copy_all(&path, &place);
        } else if path.is_file() {
            std::fs::copy(&path, &place).expect("a copy");
        }
    }
}
