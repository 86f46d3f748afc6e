//! Following one deployment to its end, CodeDeploy's own rollback included.

use std::time::Duration;

use wavegate_core::release::{Priority, limits};
use wavegate_core::time::{human, millis};

use super::standing::Look;
use super::told::Told;
use super::{Shift, not_shown};
use crate::caller::{Quota, Retry};
use crate::ports::{CloudError, DeploymentView};

impl Shift<'_> {
    /// To its end. `Err`: it did not succeed, or could not be seen for too long.
    pub(super) async fn follow(&self, id: &str) -> Result<(), String> {
        let context = self.context;
        let mut told = Told::new(self.plan.name.as_str());
        let mut seen_ms = context.now_ms();
        let mut ended_ms = None;
        loop {
            let looked = self.look(id).await;
            let now_ms = context.now_ms();
            match looked {
                Ok(look) => {
                    seen_ms = now_ms;
                    for event in told.news(&look, self.delegation.routing) {
                        context.say(event);
                    }
                    if look.deployment.has_ended() {
                        ended_ms.get_or_insert(now_ms);
                    }
                    let since_end = now_ms.saturating_sub(ended_ms.unwrap_or(now_ms));
                    if let Some(verdict) = look.verdict(Duration::from_millis(since_end)) {
                        return verdict;
                    }
                }
                Err(error) if !context.is_weather(&error) => {
                    return Err(format!(
                        "CodeDeploy's deployment {id} cannot be followed: {error}"
                    ));
                }
                Err(error) if now_ms.saturating_sub(seen_ms) > millis(limits::BLIND) => {
                    let blind = human(limits::BLIND);
                    return Err(format!(
                        "CodeDeploy's deployment {id} could not be seen for {blind}: {error}"
                    ));
                }
                Err(_) => {}
            }
            context.pause(limits::POLL).await;
        }
    }

    async fn look(&self, id: &str) -> Result<Look, CloudError> {
        let context = self.context;
        let deployment = self.view(id).await?;
        // After the deployment: of what has ended, the target then has the last word.
        let (port, caller) = (&context.engine.world.deployments, &context.engine.caller);
        let (operation, target) = ("BatchGetDeploymentTargets", || port.target(id));
        let target =
            caller.call(Quota::CodeDeploy, operation, Priority::Poll, Retry::Safe, target).await?;
        let rollback = match &deployment.rolled_back_by {
            Some(back) => Some(self.view(back).await?),
            None => None,
        };
        Ok(Look { deployment, target, rollback })
    }

    async fn view(&self, id: &str) -> Result<DeploymentView, CloudError> {
        let views = self.context.views(&[id.to_owned()], Priority::Poll).await?;
        views.into_iter().next().ok_or_else(|| not_shown(id))
    }
}
