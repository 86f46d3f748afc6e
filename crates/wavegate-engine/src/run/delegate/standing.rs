//! What one look at a deployment says, and what follows from it.

use std::time::Duration;

use wavegate_core::release::limits;
use wavegate_core::time::human;

use super::LATE;
use crate::ports::{DeploymentView, TargetView};

/// What one look saw.
#[derive(Debug, Clone)]
pub(super) struct Look {
    pub(super) deployment: DeploymentView,
    pub(super) target: Option<TargetView>,
    /// The deployment that puts it back, once it is shown.
    pub(super) rollback: Option<DeploymentView>,
}

/// Where a deployment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It goes on.
    UnderWay,
    /// All traffic is on the candidate.
    Succeeded,
    /// It failed or was stopped, and nothing is known to put it back: that may still come.
    Ended,
    /// It failed or was stopped, and is being put back.
    GoingBack,
    /// It failed or was stopped, and what was to put it back has ended as well.
    PutBack,
}

impl Look {
    fn standing(&self) -> Standing {
        let deployment = &self.deployment;
        match (&deployment.rolled_back_by, &self.rollback) {
            _ if !deployment.has_ended() => Standing::UnderWay,
            _ if deployment.status == "Succeeded" => Standing::Succeeded,
            (None, _) => Standing::Ended,
            (Some(_), Some(rollback)) if rollback.has_ended() => Standing::PutBack,
            (Some(_), _) => Standing::GoingBack,
        }
    }

    /// How it ended; `None`: it has not. `since_end`: how long ago it was first seen to have ended.
    pub(super) fn verdict(&self, since_end: Duration) -> Option<Result<(), String>> {
        match self.standing() {
            Standing::UnderWay => None,
            Standing::Succeeded => Some(Ok(())),
            Standing::Ended => (since_end > LATE).then(|| Err(self.failure())),
            Standing::GoingBack => (since_end > limits::BACK)
                .then(|| Err(format!("{} after {}", self.failure(), human(limits::BACK)))),
            Standing::PutBack => Some(Err(self.failure())),
        }
    }

    /// Why it did not succeed, in CodeDeploy's words, and what became of its rollback.
    fn failure(&self) -> String {
        let deployment = &self.deployment;
        let how = status_words(&deployment.status);
        let mut parts = vec![format!("CodeDeploy's deployment {} {how}", deployment.id)];
        parts.extend(deployment.error.as_ref().map(|(code, words)| joined(&[code, words])));
        let events = self.target.iter().flat_map(|target| &target.events);
        let failed = events.filter(|event| event.status == "Failed");
        parts.extend(failed.map(|event| {
            let words = event.message.as_deref().unwrap_or_default();
            joined(&[&format!("{} failed", event.name), words])
        }));
        parts.push(match (&self.rollback, &deployment.rolled_back_by) {
            (Some(back), _) => format!("its rollback {} {}", back.id, status_words(&back.status)),
            (None, Some(id)) => format!("its rollback {id} is not shown"),
            (None, None) => "it has no rollback".to_owned(),
        });
        parts.join("; ")
    }
}

/// The parts that say something, from the general to the particular.
pub(super) fn joined(parts: &[&str]) -> String {
    let parts: Vec<&str> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
    parts.join(": ")
}

/// A status in words that follow a deployment's id.
pub(super) fn status_words(status: &str) -> String {
    match status {
        "Succeeded" => "succeeded".to_owned(),
        "Failed" => "failed".to_owned(),
        "Stopped" => "was stopped".to_owned(),
        other => format!("is still {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::LifecycleEvent;

    fn view(id: &str, status: &str) -> DeploymentView {
        DeploymentView {
            id: id.to_owned(),
            application: "shop".to_owned(),
            group: "auth".to_owned(),
            description: String::new(),
            status: status.to_owned(),
            error: None,
            rolled_back_by: None,
            rollback_message: None,
            puts_back: None,
        }
    }

    fn look(status: &str, rolled_back_by: Option<&str>, rollback: Option<&str>) -> Look {
        let rolled_back_by = rolled_back_by.map(str::to_owned);
        Look {
            deployment: DeploymentView { rolled_back_by, ..view("d-1", status) },
            target: None,
            rollback: rollback.map(|status| view("d-2", status)),
        }
    }

    #[test]
    fn nothing_but_an_end_is_taken_for_one() {
        for status in ["Created", "Queued", "InProgress", "Baking", "Ready", "SomethingNew"] {
            assert_eq!(look(status, None, None).verdict(Duration::MAX), None, "{status}");
        }
        assert_eq!(look("Succeeded", None, None).verdict(Duration::ZERO), Some(Ok(())));
    }

    #[test]
    fn a_rollback_is_waited_for_before_a_failure_is_told() {
        let soon = Duration::from_secs(1);
        for (rolled_back_by, rollback) in
            [(None, None), (Some("d-2"), None), (Some("d-2"), Some("InProgress"))]
        {
            let look = look("Failed", rolled_back_by, rollback);
            assert_eq!(look.verdict(soon), None, "{rolled_back_by:?} {rollback:?}");
            let given_up = look.verdict(limits::BACK + soon);
            assert!(matches!(given_up, Some(Err(_))), "{rolled_back_by:?} {rollback:?}");
        }
        for rollback in ["Succeeded", "Failed", "Stopped"] {
            let told = look("Stopped", Some("d-2"), Some(rollback)).verdict(Duration::ZERO);
            let words = status_words(rollback);
            let expected =
                format!("CodeDeploy's deployment d-1 was stopped; its rollback d-2 {words}");
            assert_eq!(told, Some(Err(expected)));
        }
    }

    #[test]
    fn a_failure_is_told_in_codedeploys_words() {
        let mut look = look("Failed", None, None);
        look.deployment.error =
            Some(("HOOK_EXECUTION_FAILURE".to_owned(), "a hook failed".to_owned()));
        let event = |name: &str, status: &str, message: Option<&str>| LifecycleEvent {
            name: name.to_owned(),
            status: status.to_owned(),
            message: message.map(str::to_owned),
        };
        let events = vec![
            event("BeforeAllowTraffic", "Failed", Some("smoke: 2 of 3 checks failed")),
            event("AllowTraffic", "Skipped", None),
        ];
        look.target = Some(TargetView { status: "Failed".to_owned(), weight: None, events });
        assert_eq!(
            look.failure(),
            "CodeDeploy's deployment d-1 failed; HOOK_EXECUTION_FAILURE: a hook failed; \
             BeforeAllowTraffic failed: smoke: 2 of 3 checks failed; it has no rollback"
        );
    }
}
