//! Functions: create, read, update, delete, list, tags, concurrency, account settings.

use std::collections::BTreeMap;

use super::beside::Beside;
use super::configuration::{self, Configuration};
use super::record::{Deployed, FunctionRecord, Update, VersionRecord, version_number};
use super::{ACCOUNT_CONCURRENCY, Lambda, UNRESERVED_MINIMUM, page, transition};
use crate::ids::Ids;
use crate::lambda::error::{ApiError, Constraints};
use crate::lambda::input::{Code, CreateFunction, UpdateFunctionCode, UpdateFunctionConfiguration};
use crate::lambda::name::LATEST;
use crate::lambda::output::{
    AccountLimit, AccountSettings, AccountUsage, Concurrency, Function, FunctionConfiguration, Page,
};

/// AWS: tags of one resource.
const TAGS_MAX: usize = 50;

impl Lambda {
    /// `CreateFunction`. The code was taken in before.
    pub fn create_function(
        &mut self,
        now: i64,
        ids: &mut dyn Ids,
        input: CreateFunction,
        code: Code,
    ) -> Result<FunctionConfiguration, ApiError> {
        let name = self.unqualified(&input.function_name)?;
        check_new(&input, &code)?;
        configuration::check(&input.configuration)?;
        check_tags(&input.tags)?;
        if self.functions.contains_key(&name) {
            return Err(ApiError::conflict(format!("Function already exist: {name}")));
        }
        let mut configuration = Configuration {
            package_type: package_type(&code).to_owned(),
            ..Configuration::default()
        };
        if let Some(architectures) = input.architectures {
            configuration.architectures = architectures;
        }
        configuration.apply(input.configuration);
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
        };
        self.functions.insert(name.clone(), function);
        self.changed.insert(name.clone());
        if input.publish {
            return self.publish_pending(now, ids, &name, None);
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
        let configuration = self.get_function_configuration(now, name, qualifier)?;
        let function = self.function(&configuration.function_name)?;
        Ok(Function {
            configuration,
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
    pub fn may_update_code(&self, now: i64, name: &str) -> Result<(), ApiError> {
        let name = self.unqualified(name)?;
        self.check_idle(&self.function(&name)?.latest.settled(now), &name)
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
        check_architectures(input.architectures.as_deref())?;
        let mut latest = self.function(&name)?.latest.settled(now);
        check_revision(&latest, input.revision_id.as_deref())?;
        self.check_idle(&latest, &name)?;
        if latest.configuration.package_type != package_type(&code) {
            return Err(ApiError::invalid(
                "Please do not provide code of another package type than the function's: use \
                 ZipFile or S3Bucket and S3Key for Zip, ImageUri for Image",
            ));
        }
        self.start_update(now, ids, &mut latest);
        latest.code = code;
        if let Some(architectures) = &input.architectures {
            latest.configuration.architectures.clone_from(architectures);
        }
        if !input.dry_run {
            self.function_mut(now, &name)?.latest = latest.clone();
            if input.publish {
                return self.publish_pending(now, ids, &name, None);
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
        configuration::check(&input.configuration)?;
        let mut latest = self.function(&name)?.latest.settled(now);
        check_revision(&latest, input.revision_id.as_deref())?;
        self.check_idle(&latest, &name)?;
        self.start_update(now, ids, &mut latest);
        latest.configuration.apply(input.configuration);
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
        let function = self.function_mut(now, &target.name)?;
        let Some(number) = version_number(&qualifier) else {
            return Err(ApiError::invalid("Deletion of aliases is not currently supported."));
        };
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
            configuration::show(&self.home, &function.name, qualifier, &version.settled(now))
        })
    }

    /// `PutFunctionConcurrency`.
    pub fn put_concurrency(
        &mut self,
        now: i64,
        name: &str,
        reserved: u32,
    ) -> Result<Concurrency, ApiError> {
        let name = self.unqualified(name)?;
        self.function(&name)?;
        let others: u32 = self
            .functions
            .values()
            .filter(|function| function.name != name)
            .filter_map(|function| function.reserved)
            .sum();
        if others.saturating_add(reserved) > ACCOUNT_CONCURRENCY - UNRESERVED_MINIMUM {
            return Err(ApiError::invalid(format!(
                "Specified ReservedConcurrentExecutions for function decreases account's \
                 UnreservedConcurrentExecution below its minimum value of [{UNRESERVED_MINIMUM}]."
            )));
        }
        self.function_mut(now, &name)?.reserved = Some(reserved);
        Ok(Concurrency { reserved_concurrent_executions: Some(reserved) })
    }

    /// `GetFunctionConcurrency`.
    pub fn get_concurrency(&self, name: &str) -> Result<Concurrency, ApiError> {
        let name = self.unqualified(name)?;
        Ok(Concurrency { reserved_concurrent_executions: self.function(&name)?.reserved })
    }

    /// `DeleteFunctionConcurrency`.
    pub fn delete_concurrency(&mut self, now: i64, name: &str) -> Result<(), ApiError> {
        let name = self.unqualified(name)?;
        self.function_mut(now, &name)?.reserved = None;
        Ok(())
    }

    /// `TagResource`.
    pub fn tag(
        &mut self,
        now: i64,
        arn: &str,
        tags: BTreeMap<String, String>,
    ) -> Result<(), ApiError> {
        let name = self.tagged(arn)?;
        let mut all = self.function(&name)?.tags.clone();
        all.extend(tags);
        check_tags(&all)?;
        self.function_mut(now, &name)?.tags = all;
        Ok(())
    }

    /// `UntagResource`.
    pub fn untag(&mut self, now: i64, arn: &str, keys: &[String]) -> Result<(), ApiError> {
        let name = self.tagged(arn)?;
        self.function_mut(now, &name)?.tags.retain(|key, _| !keys.contains(key));
        Ok(())
    }

    /// `ListTags`.
    pub fn list_tags(&self, arn: &str) -> Result<BTreeMap<String, String>, ApiError> {
        Ok(self.function(&self.tagged(arn)?)?.tags.clone())
    }

    /// `GetAccountSettings`.
    pub fn account_settings(&self) -> AccountSettings {
        let reserved: u32 = self.functions.values().filter_map(|function| function.reserved).sum();
        let versions = self.functions.values().flat_map(FunctionRecord::all_versions);
        AccountSettings {
            account_limit: AccountLimit {
                total_code_size: 80_530_636_800,
                code_size_unzipped: 262_144_000,
                code_size_zipped: 52_428_800,
                concurrent_executions: ACCOUNT_CONCURRENCY,
                unreserved_concurrent_executions: ACCOUNT_CONCURRENCY.saturating_sub(reserved),
            },
            account_usage: AccountUsage {
                total_code_size: versions.map(|version| version.code.size()).sum(),
                function_count: self.functions.len(),
            },
        }
    }

    fn tagged(&self, arn: &str) -> Result<String, ApiError> {
        let target = self.home.resolve(arn, None)?;
        match target.qualifier {
            None => Ok(target.name),
            Some(_) => Err(ApiError::invalid(
                "Tags on function aliases and versions are not supported. Please specify a \
                 function ARN.",
            )),
        }
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

fn check_new(input: &CreateFunction, code: &Code) -> Result<(), ApiError> {
    if input.configuration.role.is_none() {
        let mut constraints = Constraints::default();
        constraints.broken("role", "null", "Member must not be null");
        constraints.finish()?;
    }
    if let Some(given) = &input.package_type {
        let mut constraints = Constraints::default();
        configuration::one_of(&mut constraints, "packageType", given, &["Zip", "Image"]);
        constraints.finish()?;
        if given != package_type(code) {
            return Err(ApiError::invalid(format!(
                "PackageType {given} does not fit the given code, which is of type {}",
                package_type(code)
            )));
        }
    }
    let config = &input.configuration;
    let is_zip = matches!(code, Code::Zip { .. });
    if is_zip && (config.runtime.is_none() || config.handler.is_none()) {
        return Err(ApiError::invalid(
            "Runtime and Handler are mandatory parameters for functions created with deployment \
             packages.",
        ));
    }
    check_architectures(input.architectures.as_deref())
}

fn check_architectures(architectures: Option<&[String]>) -> Result<(), ApiError> {
    let Some(architectures) = architectures else { return Ok(()) };
    let mut constraints = Constraints::default();
    if architectures.len() != 1 {
        let text = format!("[{}]", architectures.join(", "));
        constraints.broken("architectures", &text, "Member must have length equal to 1");
    }
    for architecture in architectures {
        configuration::one_of(
            &mut constraints,
            "architectures",
            architecture,
            &["x86_64", "arm64"],
        );
    }
    constraints.finish()
}

fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), ApiError> {
    if tags.len() > TAGS_MAX {
        return Err(ApiError::invalid(format!(
            "Number of tags exceeds resource tag limit of {TAGS_MAX}."
        )));
    }
    Ok(())
}
