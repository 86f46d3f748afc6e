//! Deployment configurations: AWS's own for Lambda, and custom ones.

use serde_json::{Value, json};

use super::CodeDeploy;
use super::applications::check_platform;
use super::fault::{Fault, FaultKind};
use super::input::{ConfigInput, ListInput, RoutingInput};
use super::name::Named;
use super::page::page;
use super::record::Config;
use super::routing::{PREDEFINED, RESERVED, Routing};
use super::show;
use crate::ids::Ids;

/// AWS: custom configurations of an account. Its pages say 50 or 200: the smaller number is the safe one.
const CONFIGS_MAX: usize = 50;

impl CodeDeploy {
    pub(super) fn create_config(
        &mut self,
        now: i64,
        ids: &mut dyn Ids,
        input: &ConfigInput,
    ) -> Result<Value, Fault> {
        let name = Named::Config.check(input.deployment_config_name.as_deref())?.to_owned();
        if name.starts_with(RESERVED) {
            let message = format!(
                "Deployment configuration names that start with {RESERVED} are reserved for AWS: {name}"
            );
            return Err(Fault::new(FaultKind::InvalidDeploymentConfigName, message));
        }
        check_platform(input.compute_platform.as_deref())?;
        if !input.minimum_healthy_hosts.is_null() {
            let message = "minimumHealthyHosts is for the compute platform Server only";
            return Err(Fault::new(FaultKind::InvalidMinimumHealthyHostValue, message));
        }
        if !input.zonal_config.is_null() {
            let message = "zonalConfig is for the compute platform Server only";
            return Err(Fault::new(FaultKind::InvalidZonalDeploymentConfiguration, message));
        }
        let routing = routing_of(input.traffic_routing_config.as_ref())
            .map_err(|why| Fault::new(FaultKind::InvalidTrafficRoutingConfiguration, why))?;
        if self.configs.contains_key(&name) {
            let message = format!("A deployment configuration with the name {name} already exists");
            return Err(Fault::new(FaultKind::DeploymentConfigAlreadyExists, message));
        }
        if self.configs.len() >= CONFIGS_MAX {
            let message =
                format!("There are {CONFIGS_MAX} custom deployment configurations already");
            return Err(Fault::new(FaultKind::DeploymentConfigLimitExceeded, message));
        }
        let id = ids.uuid();
        let config = Config { id: id.clone(), name: name.clone(), routing, created_ms: now };
        self.configs.insert(name, config);
        Ok(json!({ "deploymentConfigId": id }))
    }

    pub(super) fn get_config(&self, input: &ConfigInput) -> Result<Value, Fault> {
        let name = Named::Config.check(input.deployment_config_name.as_deref())?;
        let routing = self.routing(name)?;
        let custom = self.configs.get(name);
        // AWS's own have ids as well; theirs here are made of their names.
        let id = custom.map_or_else(|| predefined_id(name), |config| config.id.clone());
        Ok(json!({ "deploymentConfigInfo": show::object([
            ("deploymentConfigId", Some(json!(id))),
            ("deploymentConfigName", Some(json!(name))),
            ("createTime", custom.map(|config| show::time(config.created_ms))),
            ("computePlatform", Some(json!("Lambda"))),
            ("trafficRoutingConfig", Some(show::routing(routing))),
        ]) }))
    }

    pub(super) fn list_configs(&self, input: &ListInput) -> Result<Value, Fault> {
        let mut names: Vec<String> = PREDEFINED.map(|(name, _)| name.to_owned()).into();
        names.extend(self.configs.keys().cloned());
        names.sort();
        let names = names.into_iter().map(|name| (name.clone(), json!(name)));
        let (names, next) = page("ListDeploymentConfigs", input.next_token.as_deref(), names)?;
        Ok(show::object([
            ("deploymentConfigsList", Some(json!(names))),
            ("nextToken", next.map(Value::from)),
        ]))
    }

    pub(super) fn delete_config(&mut self, input: &ConfigInput) -> Result<Value, Fault> {
        let name = Named::Config.check(input.deployment_config_name.as_deref())?;
        if PREDEFINED.iter().any(|(own, _)| *own == name) {
            let message = format!("Predefined deployment configurations cannot be deleted: {name}");
            return Err(Fault::new(FaultKind::InvalidOperation, message));
        }
        let is_used = self.groups.values().any(|group| group.config == name)
            || self.deployments.values().any(|it| !it.is_over() && it.config == name);
        if is_used {
            let message = format!("The deployment configuration {name} is in use");
            return Err(Fault::new(FaultKind::DeploymentConfigInUse, message));
        }
        self.configs.remove(name);
        Ok(json!({}))
    }

    /// What a configuration of that name does.
    pub(super) fn routing(&self, name: &str) -> Result<Routing, Fault> {
        let predefined = PREDEFINED.iter().find(|(own, _)| *own == name).map(|(_, does)| *does);
        predefined.or_else(|| self.configs.get(name).map(|config| config.routing)).ok_or_else(
            || {
                let message = format!("No Deployment Config found for name: {name}");
                Fault::new(FaultKind::DeploymentConfigDoesNotExist, message)
            },
        )
    }
}

fn routing_of(input: Option<&RoutingInput>) -> Result<Routing, String> {
    let input = input.ok_or("trafficRoutingConfig is required for the compute platform Lambda")?;
    let (canary, linear) = (input.time_based_canary.as_ref(), input.time_based_linear.as_ref());
    match (input.kind.as_deref(), canary, linear) {
        (Some("AllAtOnce"), None, None) => Ok(Routing::AllAtOnce),
        (Some("TimeBasedCanary"), Some(canary), None) => {
            match (canary.canary_percentage, canary.canary_interval) {
                (Some(percent), Some(minutes)) => Routing::canary(percent, minutes),
                _ => Err("timeBasedCanary needs canaryPercentage and canaryInterval".to_owned()),
            }
        }
        (Some("TimeBasedLinear"), None, Some(linear)) => {
            match (linear.linear_percentage, linear.linear_interval) {
                (Some(percent), Some(minutes)) => Routing::linear(percent, minutes),
                _ => Err("timeBasedLinear needs linearPercentage and linearInterval".to_owned()),
            }
        }
        (Some("AllAtOnce" | "TimeBasedCanary" | "TimeBasedLinear"), ..) => {
            Err("trafficRoutingConfig has the settings of its type, and of no other".to_owned())
        }
        (kind, ..) => Err(format!(
            "{} is no type of traffic routing: it is TimeBasedCanary, TimeBasedLinear or AllAtOnce",
            kind.unwrap_or("(none)")
        )),
    }
}

/// An id in AWS's form that depends on the name alone.
fn predefined_id(name: &str) -> String {
    use sha2::Digest as _;
    let hash = sha2::Sha256::digest(name.as_bytes());
    let bytes: [u8; 16] = std::array::from_fn(|at| hash[at]);
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}
