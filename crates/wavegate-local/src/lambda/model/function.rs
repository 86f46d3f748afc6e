//! Functions: create, read, update, delete, list.

use std::collections::BTreeMap;

use super::beside::Beside;
use super::check;
use super::configuration::{self, Configuration};
use super::record::{Deployed, FunctionRecord, Update, VersionRecord, version_number};
use super::settings::Settings;
use super::tags::check_tags;
use super::{Lambda, page, transition};
use crate::ids::Ids;
use crate::lambda::error::ApiError;
use crate::lambda::input::{Code, CreateFunction, UpdateFunctionCode, UpdateFunctionConfiguration};
use crate::lambda::name::{self, LATEST, is_alias};
use crate::lambda::output::{Concurrency, Function, FunctionConfiguration, Page};

impl Lambda {
    /// Checks whether `CreateFunction` would be accepted, before its code is taken in.
    pub fn may_create(&self, input: &CreateFunction) -> Result<(), ApiError> {
        let name = self.unqualified(&input.function_name)?;
        name::check_new(&name)?;
        let is_image = input.package_type.as_deref() == Some("Image");
        check_package(input, is_image)?;
        // AWS looks for a package only where there is to be one.
        if !is_image && input.code.zip_file.is_none() && input.code.s3_bucket.is_none() {
            return Err(ApiError::invalid("Please provide a source for function code."));
        }
        // AWS looks at the layers before it looks for a function of that name.
        self.use_layers(input.configuration.layers.as_deref().unwrap_or_default())?;
        self.check_absent(&name)
    }

    /// `CreateFunction`. The code was taken in before.
    pub fn create_function(
        &mut self,
        now: i64,
        ids: &mut dyn Ids,
        input: CreateFunction,
        code: Code,
    ) -> Result<FunctionConfiguration, ApiError> {
        let name = self.unqualified(&input.function_name)?;
        name::check_new(&name)?;
        check_new(&input, &code)?;
        check::check(&input.configuration)?;
        check_tags(&input.tags)?;
        self.check_absent(&name)?;
        if let Some(arn) = &input.code_signing_config_arn {
            self.check_code_signing(arn)?;
        }
        let mut configuration = Configuration {
            package_type: package_type(&code).to_owned(),
            layers: self.use_layers(input.configuration.layers.as_deref().unwrap_or_default())?,
            source_kms_key_arn: input.code.source_kms_key_arn,
            ..Configuration::default()
        };
        if let Some(architectures) = input.architectures {
            configuration.architectures = architectures;
        }
        configuration.apply(input.configuration);
        check::check_snap_start(configuration.runtime.as_deref(), &configuration.snap_start)?;
        let latest = VersionRecord {
            version: LATEST.to_owned(),
            source_description: configuration.description.clone(),
            configuration,
            code,
            deployment: ids.uuid(),
            revision_id: ids.uuid(),
            last_modified_ms: now,
            creating: Some(transition(now, self.settle_ms, ids)),
            updating: None,
            update_runtime_on: None,
            pinned_runtime: None,
            scaling: None,
        };
        let function = FunctionRecord {
            name: name.clone(),
            latest,
            versions: BTreeMap::new(),
            next_version: self.retired.remove(&name).unwrap_or(1),
            aliases: BTreeMap::new(),
            tags: input.tags,
            reserved: None,
            policies: BTreeMap::new(),
            beside: Beside::default(),
            code_signing_config: input.code_signing_config_arn,
            settings: Settings::default(),
        };
        self.functions.insert(name.clone(), function);
        self.changed.insert(name.clone());
        if input.publish {
            let version = self.publish_pending(now, ids, &name)?;
            // AWS tells of the version by the ARN of the function.
            return Ok(configuration::show(&self.home, &name, None, &version));
        }
        let function = &self.functions[&name];
        Ok(configuration::show(&self.home, &name, None, &function.latest))
    }

    /// `GetFunction`, without the place of the code.
    pub fn get_function(
        &self,
        now: i64,
        name: &str,
        qualifier: Option<&str>,
    ) -> Result<Function, ApiError> {
        let target = self.home.resolve(name, qualifier)?;
        let version = self.version(now, &target)?;
        let qualifier = target.qualifier.as_deref();
        let function = self.function(&target.name)?;
        Ok(Function {
            configuration: configuration::show(&self.home, &target.name, qualifier, &version),
            source_kms_key_arn: version.configuration.source_kms_key_arn,
            tags: function.tags.clone(),
            concurrency: function
                .reserved
                .map(|reserved| Concurrency { reserved_concurrent_executions: Some(reserved) }),
        })
    }

    /// The code of a function or version.
    pub fn get_code(
        &self,
        now: i64,
        name: &str,
        qualifier: Option<&str>,
    ) -> Result<Code, ApiError> {
        let target = self.home.resolve(name, qualifier)?;
        Ok(self.version(now, &target)?.code)
    }

    /// `GetFunctionConfiguration`.
    pub fn get_function_configuration(
        &self,
        now: i64,
        name: &str,
        qualifier: Option<&str>,
    ) -> Result<FunctionConfiguration, ApiError> {
        let target = self.home.resolve(name, qualifier)?;
        let version = self.version(now, &target)?;
        Ok(configuration::show(&self.home, &target.name, target.qualifier.as_deref(), &version))
    }

    /// Checks whether `UpdateFunctionCode` would be accepted, before its code is taken in.
    pub fn may_update_code(
        &self,
        now: i64,
        name: &str,
        input: &UpdateFunctionCode,
    ) -> Result<(), ApiError> {
        let name = self.unqualified(name)?;
        let latest = self.function(&name)?.latest.settled(now);
        check_revision(&latest, input.revision_id.as_deref())?;
        check_kind(&latest.configuration.package_type, input.code.image_uri.is_some())?;
        self.check_idle(&latest, &name)
    }

    /// `UpdateFunctionCode`. A dry run answers with what would be and changes nothing.
    pub fn update_function_code(
        &mut self,
        now: i64,
        ids: &mut dyn Ids,
        name: &str,
        input: &UpdateFunctionCode,
        code: Code,
    ) -> Result<FunctionConfiguration, ApiError> {
        let name = self.unqualified(name)?;
        let mut latest = self.function(&name)?.latest.settled(now);
        check_revision(&latest, input.revision_id.as_deref())?;
        self.check_idle(&latest, &name)?;
        check_kind(&latest.configuration.package_type, matches!(code, Code::Image { .. }))?;
        self.start_update(now, ids, &mut latest);
        latest.code = code;
        if let Some(architectures) = &input.architectures {
            latest.configuration.architectures.clone_from(architectures);
        }
        latest.configuration.source_kms_key_arn.clone_from(&input.code.source_kms_key_arn);
        if !input.dry_run {
            self.function_mut(now, &name)?.latest = latest.clone();
            if input.publish {
                let version = self.publish_pending(now, ids, &name)?;
                let qualifier = Some(version.version.as_str());
                return Ok(configuration::show(&self.home, &name, qualifier, &version));
            }
        }
        Ok(configuration::show(&self.home, &name, None, &latest))
    }

    /// `UpdateFunctionConfiguration`.
    pub fn update_function_configuration(
        &mut self,
        now: i64,
        ids: &mut dyn Ids,
        name: &str,
        input: UpdateFunctionConfiguration,
    ) -> Result<FunctionConfiguration, ApiError> {
        let name = self.unqualified(name)?;
        check::check(&input.configuration)?;
        let mut latest = self.function(&name)?.latest.settled(now);
        check_revision(&latest, input.revision_id.as_deref())?;
        self.check_idle(&latest, &name)?;
        let layers = input.configuration.layers.as_deref();
        let layers = layers.map(|layers| self.use_layers(layers)).transpose()?;
        self.start_update(now, ids, &mut latest);
        let configuration = &mut latest.configuration;
        configuration.apply(input.configuration);
        if let Some(layers) = layers {
            configuration.layers = layers;
        }
        check::check_snap_start(configuration.runtime.as_deref(), &configuration.snap_start)?;
        self.function_mut(now, &name)?.latest = latest.clone();
        Ok(configuration::show(&self.home, &name, None, &latest))
    }

    /// `DeleteFunction`: the function with everything, or one version. Absent versions are no error.
    pub fn delete_function(
        &mut self,
        now: i64,
        name: &str,
        qualifier: Option<&str>,
    ) -> Result<(), ApiError> {
        let target = self.home.resolve(name, qualifier)?;
        let Some(qualifier) = target.qualifier else {
            let function = self.function(&target.name)?;
            self.retired.insert(target.name.clone(), function.next_version);
            self.functions.remove(&target.name);
            self.changed.insert(target.name);
            return Ok(());
        };
        if qualifier == LATEST {
            return Err(ApiError::invalid(
                "$LATEST version cannot be deleted without deleting the function.",
            ));
        }
        if is_alias(&qualifier) {
            return Err(ApiError::invalid("Deletion of aliases is not currently supported."));
        }
        let function = self.function_mut(now, &target.name)?;
        // What can be neither a version nor an alias is absent.
        let Some(number) = version_number(&qualifier) else { return Ok(()) };
        let aliases: Vec<&str> = function
            .aliases
            .values()
            .filter(|alias| alias.references(&qualifier))
            .map(|alias| alias.name.as_str())
            .collect();
        if !aliases.is_empty() {
            return Err(ApiError::conflict(format!(
                "Unable to delete version because the following aliases reference it: [{}]",
                aliases.join(", ")
            )));
        }
        function.versions.remove(&number);
        function.policies.remove(&qualifier);
        function.beside.forget(&qualifier);
        Ok(())
    }

    /// `ListFunctions`; `all_versions` adds the published ones.
    pub fn list_functions(
        &self,
        now: i64,
        all_versions: bool,
        marker: Option<&str>,
        max_items: Option<usize>,
    ) -> Page<FunctionConfiguration> {
        let items = self.functions.values().flat_map(|function| {
            function
                .all_versions()
                .filter(move |version| all_versions || version.version == LATEST)
                .map(move |version| {
                    let key = format!("{} {:0>20}", function.name, version.version);
                    (key, (function, version))
                })
        });
        page(items, marker, max_items, |(function, version)| {
            let qualifier = all_versions.then_some(version.version.as_str());
            let version = version.settled(now);
            configuration::show(&self.home, &function.name, qualifier, &version).listed()
        })
    }

    fn check_absent(&self, name: &str) -> Result<(), ApiError> {
        if self.functions.contains_key(name) {
            return Err(ApiError::conflict(format!("Function already exist: {name}")));
        }
        Ok(())
    }

    /// AWS refuses to change or publish while it is still busy with the function.
    pub(super) fn check_idle(&self, latest: &VersionRecord, name: &str) -> Result<(), ApiError> {
        if latest.creating.is_some() {
            return Err(ApiError::conflict(
                "The operation cannot be performed at this time. The function is currently in the \
                 following state: Pending",
            ));
        }
        if latest.updating.is_some() {
            return Err(ApiError::conflict(format!(
                "The operation cannot be performed at this time. An update is in progress for \
                 resource: {}",
                self.home.arn(name, None)
            )));
        }
        Ok(())
    }

    fn start_update(&self, now: i64, ids: &mut dyn Ids, latest: &mut VersionRecord) {
        latest.updating = Some(Update {
            end: transition(now, self.settle_ms, ids),
            previous: Box::new(Deployed {
                configuration: latest.configuration.clone(),
                code: latest.code.clone(),
                deployment: latest.deployment.clone(),
            }),
        });
        latest.deployment = ids.uuid();
        latest.revision_id = ids.uuid();
        latest.last_modified_ms = now;
    }
}

/// AWS's answer to a stale `RevisionId` of a function.
pub(super) fn check_revision(latest: &VersionRecord, given: Option<&str>) -> Result<(), ApiError> {
    match given {
        Some(given) if given != latest.revision_id => {
            Err(ApiError::precondition("GetFunction/GetAlias"))
        }
        _ => Ok(()),
    }
}

fn package_type(code: &Code) -> &'static str {
    match code {
        Code::Zip { .. } => "Zip",
        Code::Image { .. } => "Image",
    }
}

/// AWS's answer to code of the other kind than the function's.
fn check_kind(package_type: &str, is_image: bool) -> Result<(), ApiError> {
    match (package_type, is_image) {
        ("Image", false) => Err(ApiError::invalid(
            "Please provide ImageUri when updating a function with packageType Image.",
        )),
        ("Zip", true) => Err(ApiError::invalid(
            "Please don't provide ImageUri when updating a function with packageType Zip.",
        )),
        _ => Ok(()),
    }
}

fn check_new(input: &CreateFunction, code: &Code) -> Result<(), ApiError> {
    if let Some(given) = &input.package_type
        && given != package_type(code)
    {
        return Err(ApiError::invalid(format!(
            "PackageType {given} does not fit the given code, which is of type {}",
            package_type(code)
        )));
    }
    check_package(input, matches!(code, Code::Image { .. }))
}

/// What a package needs to be told of, and what an image knows by itself.
fn check_package(input: &CreateFunction, is_image: bool) -> Result<(), ApiError> {
    let config = &input.configuration;
    let has_layers = config.layers.as_ref().is_some_and(|layers| !layers.is_empty());
    if is_image {
        if config.runtime.is_some() || config.handler.is_some() || has_layers {
            return Err(ApiError::invalid(
                "Please don't provide Handler or Runtime or Layer when the intended function \
                 PackageType is Image.",
            ));
        }
        if input.code.zip_file.is_some() || input.code.s3_bucket.is_some() {
            return Err(ApiError::invalid(
                "Please provide ImageUri when creating a function with packageType Image.",
            ));
        }
    } else if config.runtime.is_none() || config.handler.is_none() {
        return Err(ApiError::invalid(
            "Runtime and Handler are mandatory parameters for functions created with deployment \
             packages.",
        ));
    }
    Ok(())
}
