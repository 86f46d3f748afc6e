//! The deployment group that a deployment is made in, and the config it is made with.

use std::collections::BTreeSet;

use wavegate_core::codedeploy::{CONFIG_PREFIX, Group};
use wavegate_core::release::Priority;

use super::Shift;
use crate::caller::{Quota, Retry};
use crate::event::Event;
use crate::ports::{CloudError, FaultKind, GroupView};

/// What is to be done before a deployment can be made in a group.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Todo {
    /// It is as it is to be.
    Nothing,
    /// It is wavegate's own, and is not there.
    Create,
    /// It is wavegate's own, and is not as the manifest says.
    Update {
        /// A config of wavegate's that this group no longer uses.
        unused: Option<String>,
    },
    /// It is somebody else's, and is not there.
    Missing,
}

fn todo(wanted: &Group, config: &str, found: Option<&GroupView>) -> Todo {
    match found {
        None if wanted.is_own => Todo::Create,
        None => Todo::Missing,
        Some(found) if wanted.is_own && !is_as_wanted(wanted, config, found) => {
            let before = Some(&found.config).filter(|before| *before != config);
            let own = before.filter(|before| before.starts_with(CONFIG_PREFIX));
            Todo::Update { unused: own.cloned() }
        }
        Some(_) => Todo::Nothing,
    }
}

fn is_as_wanted(wanted: &Group, config: &str, found: &GroupView) -> bool {
    let group = &found.group;
    // Without alarms there are none to be read.
    let reads = wanted.alarms.is_empty()
        || wanted.ignores_unreadable_alarms == group.ignores_unreadable_alarms;
    found.config == config
        && found.rolls_back
        && alarms(wanted) == alarms(group)
        && reads
        && triggers(wanted) == triggers(group)
        && (wanted.role.is_none() || wanted.role == group.role)
}

fn alarms(group: &Group) -> BTreeSet<&str> {
    group.alarms.iter().map(String::as_str).collect()
}

/// Triggers, whatever their order and that of their events.
fn triggers(group: &Group) -> BTreeSet<(&str, &str, BTreeSet<&str>)> {
    let parts = group.triggers.iter().map(|trigger| {
        let events = trigger.events.iter().map(String::as_str).collect();
        (trigger.name.as_str(), trigger.topic.as_str(), events)
    });
    parts.collect()
}

impl Shift<'_> {
    /// Sees to it that the group and the config are there, and as they are to be.
    pub(super) async fn prepare_group(&self) -> Result<(), String> {
        let wanted = &self.delegation.group;
        let config = self.delegation.routing.config_name();
        let found = self.read_group().await.map_err(|error| error.to_string())?;
        let done = match todo(wanted, &config, found.as_ref()) {
            Todo::Nothing if wanted.is_own => Ok(()),
            // Its own config may be another one: the config goes with the deployment.
            Todo::Nothing => self.create_config().await,
            Todo::Create => self.create_group(&config).await,
            Todo::Update { unused } => self.update_group(&config, unused).await,
            Todo::Missing => {
                return Err(format!(
                    "deployment group {} of application {} does not exist: the manifest names it as \
                     somebody else's, which wavegate uses and does not make",
                    wanted.name, wanted.application
                ));
            }
        };
        done.map_err(|error| error.to_string())
    }

    async fn read_group(&self) -> Result<Option<GroupView>, CloudError> {
        let (wanted, port) = (&self.delegation.group, &self.context.engine.world.deployments);
        self.call("GetDeploymentGroup", || port.group(&wanted.application, &wanted.name)).await
    }

    async fn create_config(&self) -> Result<(), CloudError> {
        let (routing, port) = (self.delegation.routing, &self.context.engine.world.deployments);
        if routing.is_predefined() {
            return Ok(());
        }
        self.call("CreateDeploymentConfig", || port.create_config(routing)).await
    }

    async fn create_group(&self, config: &str) -> Result<(), CloudError> {
        let (wanted, port) = (&self.delegation.group, &self.context.engine.world.deployments);
        self.call("CreateApplication", || port.create_application(&wanted.application)).await?;
        self.create_config().await?;
        match self.call("CreateDeploymentGroup", || port.create_group(wanted, config)).await {
            // A lost answer was asked for once more; or somebody was quicker, and what they made is
            // made what it is to be.
            Err(error) if error.kind == FaultKind::AlreadyExists => {
                self.call("UpdateDeploymentGroup", || port.update_group(wanted, config)).await
            }
            made => made,
        }
    }

    async fn update_group(&self, config: &str, unused: Option<String>) -> Result<(), CloudError> {
        let (wanted, port) = (&self.delegation.group, &self.context.engine.world.deployments);
        self.create_config().await?;
        self.call("UpdateDeploymentGroup", || port.update_group(wanted, config)).await?;
        let Some(unused) = unused else { return Ok(()) };
        // Another group may use it: then it stays, as it does if it cannot be deleted. Nothing hangs
        // on it.
        if let Err(error) =
            self.call("DeleteDeploymentConfig", || port.delete_config(&unused)).await
        {
            let text = format!("the unused deployment config {unused} was left: {error}");
            self.context.say(Event::Note { text });
        }
        Ok(())
    }

    /// A call that goes forward and is safe to repeat.
    async fn call<T, F, Fut>(&self, operation: &'static str, call: F) -> Result<T, CloudError>
    where
        F: Fn() -> Fut + Send,
        Fut: Future<Output = Result<T, CloudError>> + Send,
    {
        let caller = &self.context.engine.caller;
        caller.call(Quota::CodeDeploy, operation, Priority::Forward, Retry::Safe, call).await
    }
}

#[cfg(test)]
mod tests {
    use wavegate_core::codedeploy::Trigger;

    use super::*;

    fn trigger(name: &str, events: &[&str]) -> Trigger {
        Trigger {
            name: name.to_owned(),
            topic: "arn:topic".to_owned(),
            events: events.iter().map(|event| (*event).to_owned()).collect(),
        }
    }

    fn wanted() -> Group {
        Group {
            application: "shop".to_owned(),
            name: "auth".to_owned(),
            is_own: true,
            role: Some("arn:role".to_owned()),
            alarms: vec!["a".to_owned(), "b".to_owned()],
            ignores_unreadable_alarms: false,
            triggers: vec![trigger("x", &["DeploymentStart", "DeploymentStop"]), trigger("y", &[])],
            before: Some("smoke".to_owned()),
            after: None,
        }
    }

    /// As CodeDeploy shows it: in another order, without hooks, and nobody's.
    fn found() -> GroupView {
        let group = Group {
            is_own: false,
            alarms: vec!["b".to_owned(), "a".to_owned()],
            triggers: vec![trigger("y", &[]), trigger("x", &["DeploymentStop", "DeploymentStart"])],
            before: None,
            ..wanted()
        };
        GroupView { group, config: "wavegate-old".to_owned(), rolls_back: true }
    }

    #[test]
    fn a_group_that_is_as_it_is_to_be_is_left_alone() {
        assert_eq!(todo(&wanted(), "wavegate-old", Some(&found())), Todo::Nothing);
        let anyones = Group { role: None, ..wanted() };
        assert_eq!(todo(&anyones, "wavegate-old", Some(&found())), Todo::Nothing);
    }

    #[test]
    fn every_difference_of_an_own_group_is_mended() {
        let update = Todo::Update { unused: None };
        let ways: [fn(&mut GroupView); 6] = [
            |found| found.rolls_back = false,
            |found| found.group.role = Some("arn:other".to_owned()),
            |found| drop(found.group.alarms.pop()),
            |found| found.group.ignores_unreadable_alarms = true,
            |found| drop(found.group.triggers.pop()),
            |found| drop(found.group.triggers[1].events.pop()),
        ];
        for (nth, way) in ways.into_iter().enumerate() {
            let mut changed = found();
            way(&mut changed);
            assert_eq!(todo(&wanted(), "wavegate-old", Some(&changed)), update, "{nth}");
            let not_own = Group { is_own: false, ..wanted() };
            assert_eq!(todo(&not_own, "wavegate-old", Some(&changed)), Todo::Nothing, "{nth}");
        }
    }

    #[test]
    fn only_a_config_of_wavegates_is_deleted_behind_a_group() {
        let unused = |config: &str, before: &str| {
            let found = GroupView { config: before.to_owned(), ..found() };
            todo(&wanted(), config, Some(&found))
        };
        assert_eq!(
            unused("wavegate-new", "wavegate-old"),
            Todo::Update { unused: Some("wavegate-old".to_owned()) }
        );
        assert_eq!(
            unused("wavegate-new", "CodeDeployDefault.LambdaAllAtOnce"),
            Todo::Update { unused: None }
        );
    }

    #[test]
    fn a_group_that_is_not_there_is_made_only_if_it_is_own() {
        assert_eq!(todo(&wanted(), "c", None), Todo::Create);
        assert_eq!(todo(&Group { is_own: false, ..wanted() }, "c", None), Todo::Missing);
    }
}
