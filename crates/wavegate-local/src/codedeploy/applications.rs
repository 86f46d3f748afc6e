//! Applications.

use serde_json::{Value, json};

use super::CodeDeploy;
use super::fault::{Fault, FaultKind};
use super::input::{ApplicationInput, ApplicationsInput, ListInput};
use super::name::Named;
use super::page::page;
use super::record::Application;
use super::show;
use super::tags;
use crate::ids::Ids;

/// AWS: applications of an account in a region.
const APPLICATIONS_MAX: usize = 1_000;
/// AWS: names in one batch.
pub(super) const BATCH_MAX: usize = 100;

impl CodeDeploy {
    pub(super) fn create_application(
        &mut self,
        now: i64,
        ids: &mut dyn Ids,
        input: ApplicationInput,
    ) -> Result<Value, Fault> {
        let name = Named::Application.check(input.application_name.as_deref())?.to_owned();
        check_platform(input.compute_platform.as_deref())?;
        let tags = tags::of(input.tags)?;
        self.name_is_free(&name)?;
        if self.applications.len() >= APPLICATIONS_MAX {
            let message = format!("There are {APPLICATIONS_MAX} applications already");
            return Err(Fault::new(FaultKind::ApplicationLimitExceeded, message));
        }
        let id = ids.uuid();
        let application = Application { id: id.clone(), name: name.clone(), created_ms: now, tags };
        self.applications.insert(name, application);
        Ok(json!({ "applicationId": id }))
    }

    pub(super) fn get_application(&self, input: &ApplicationInput) -> Result<Value, Fault> {
        let application = self.application(input.application_name.as_deref())?;
        Ok(json!({ "application": show_application(application) }))
    }

    pub(super) fn batch_get_applications(&self, input: ApplicationsInput) -> Result<Value, Fault> {
        let names = input.application_names.unwrap_or_default();
        if names.is_empty() {
            let message = "Application names are required";
            return Err(Fault::new(FaultKind::ApplicationNameRequired, message));
        }
        check_batch(names.len(), BATCH_MAX)?;
        let found = names.iter().map(|name| self.application(Some(name)).map(show_application));
        Ok(json!({ "applicationsInfo": found.collect::<Result<Vec<_>, _>>()? }))
    }

    pub(super) fn list_applications(&self, input: &ListInput) -> Result<Value, Fault> {
        let names = self.applications.keys().map(|name| (name.clone(), json!(name)));
        let (names, next) = page("ListApplications", input.next_token.as_deref(), names)?;
        Ok(show::object([
            ("applications", Some(json!(names))),
            ("nextToken", next.map(Value::from)),
        ]))
    }

    pub(super) fn update_application(&mut self, input: &ApplicationInput) -> Result<Value, Fault> {
        let old = self.application(input.application_name.as_deref())?.name.clone();
        let new = Named::Application.check(input.new_application_name.as_deref())?.to_owned();
        if new == old {
            return Ok(json!({}));
        }
        self.name_is_free(&new)?;
        if let Some(mut application) = self.applications.remove(&old) {
            application.name.clone_from(&new);
            self.applications.insert(new.clone(), application);
        }
        self.groups.change_all(
            |group| group.application == old,
            |group| group.application.clone_from(&new),
        );
        self.deployments.change_all(
            |deployment| deployment.application == old,
            |deployment| deployment.application.clone_from(&new),
        );
        Ok(json!({}))
    }

    /// Its groups go with it. Deployments that have begun go on: they know all they need.
    pub(super) fn delete_application(&mut self, input: &ApplicationInput) -> Result<Value, Fault> {
        let name = Named::Application.check(input.application_name.as_deref())?;
        self.applications.remove(name);
        let groups = self.groups.values().filter(|group| group.application == name);
        let groups: Vec<String> = groups.map(|group| group.id.clone()).collect();
        for id in groups {
            self.groups.remove(&id);
        }
        Ok(json!({}))
    }

    /// The application of that name.
    pub(super) fn application(&self, name: Option<&str>) -> Result<&Application, Fault> {
        let name = Named::Application.check(name)?;
        self.applications.get(name).ok_or_else(|| {
            let message = format!("No application found for name: {name}");
            Fault::new(FaultKind::ApplicationDoesNotExist, message)
        })
    }

    fn name_is_free(&self, name: &str) -> Result<(), Fault> {
        if self.applications.contains_key(name) {
            let message = format!("An application with the name {name} already exists");
            return Err(Fault::new(FaultKind::ApplicationAlreadyExists, message));
        }
        Ok(())
    }
}

/// Refuses more names or ids than one batch may have.
pub(super) fn check_batch(given: usize, limit: usize) -> Result<(), Fault> {
    if given > limit {
        let message = format!("{given} were asked for; {limit} can be at a time");
        return Err(Fault::new(FaultKind::BatchLimitExceeded, message));
    }
    Ok(())
}

/// Refuses all platforms but Lambda; AWS takes Server where none is given.
pub(super) fn check_platform(platform: Option<&str>) -> Result<(), Fault> {
    let message = match platform {
        Some("Lambda") => return Ok(()),
        None => "The local cloud deploys to the compute platform Lambda only, and without \
                 computePlatform an application is for Server: give Lambda"
            .to_owned(),
        Some(platform @ ("Server" | "ECS")) => format!(
            "The local cloud deploys to the compute platform Lambda only, not to {platform}"
        ),
        Some(other) => format!("{other} is no compute platform: it is Lambda, Server or ECS"),
    };
    Err(Fault::new(FaultKind::InvalidComputePlatform, message))
}

fn show_application(application: &Application) -> Value {
    json!({
        "applicationId": application.id,
        "applicationName": application.name,
        "createTime": show::time(application.created_ms),
        "linkedToGitHub": false,
        "computePlatform": "Lambda",
    })
}
