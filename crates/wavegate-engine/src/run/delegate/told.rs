//! What is new about a deployment, for people: every change is told once.

use std::collections::BTreeMap;

use wavegate_core::codedeploy::Routing;
use wavegate_core::weight::Weight;

use super::standing::{Look, joined};
use crate::event::Event;
use crate::ports::DeploymentView;

/// What was told about a function's deployments so far.
#[derive(Debug)]
pub(super) struct Told {
    function: String,
    /// By deployment and step.
    statuses: BTreeMap<(String, String), String>,
    weight: Weight,
}

impl Told {
    pub(super) fn new(function: &str) -> Self {
        Self { function: function.to_owned(), statuses: BTreeMap::new(), weight: Weight::ZERO }
    }

    /// Everything that is new, in the order in which it came about.
    pub(super) fn news(&mut self, look: &Look, routing: Routing) -> Vec<Event> {
        let mut news = Vec::new();
        let id = &look.deployment.id;
        if let Some(target) = &look.target {
            // What has not begun is no news.
            for event in target.events.iter().filter(|event| event.status != "Pending") {
                news.extend(self.status(id, &event.name, &event.status, event.message.clone()));
            }
            news.extend(target.weight.and_then(|weight| self.weight(weight, routing)));
        }
        news.extend(self.deployment(&look.deployment));
        if let Some(rollback) = &look.rollback {
            news.extend(self.deployment(rollback));
            if rollback.status == "Succeeded" {
                news.extend(self.weight(Weight::ZERO, routing));
            }
        }
        news
    }

    /// What is new about a deployment as a whole.
    pub(super) fn deployment(&mut self, view: &DeploymentView) -> Option<Event> {
        let step = if view.puts_back.is_some() { "rollback" } else { "deployment" };
        let error = view.error.as_ref().map(|(code, words)| joined(&[code, words]));
        self.status(&view.id, step, &view.status, error)
    }

    fn status(
        &mut self,
        id: &str,
        step: &str,
        status: &str,
        message: Option<String>,
    ) -> Option<Event> {
        let about = (id.to_owned(), step.to_owned());
        let before = self.statuses.insert(about, status.to_owned());
        (before.as_deref() != Some(status)).then(|| Event::Deployment {
            function: self.function.clone(),
            id: id.to_owned(),
            step: step.to_owned(),
            status: status.to_owned(),
            message,
        })
    }

    fn weight(&mut self, weight: Weight, routing: Routing) -> Option<Event> {
        let before = std::mem::replace(&mut self.weight, weight);
        (before != weight).then(|| Event::Weight {
            function: self.function.clone(),
            set_bp: weight.bp(),
            actual_bp: weight.bp(),
            before_bp: before.bp(),
            bake_ms: bake_ms(weight, routing),
        })
    }
}

/// How long CodeDeploy stays at a weight.
fn bake_ms(weight: Weight, routing: Routing) -> Option<u64> {
    if weight == Weight::ZERO || weight == Weight::FULL {
        return None;
    }
    match routing {
        Routing::AllAtOnce => None,
        Routing::Canary { minutes, .. } | Routing::Linear { minutes, .. } => {
            Some(u64::from(minutes) * 60_000)
        }
    }
}
