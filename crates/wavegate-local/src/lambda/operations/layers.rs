//! Layers, their versions and who may use them.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{Call, Outcome};
use super::{read, unreadable};
use crate::cloud::Cloud;
use crate::intake;
use crate::lambda::error::ApiError;
use crate::lambda::input::CodeLocation;
use crate::lambda::model::{AddLayerPermission, LayerFilter, PublishLayer};

/// What of a request names a layer.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Place {
    layer_name: String,
    version_number: i64,
    arn: String,
}

/// Publishes a version. The input carries the content, so it is not copied.
pub(super) async fn publish(cloud: &Arc<Cloud>, mut input: Value) -> Result<Value, ApiError> {
    let content = CodeLocation::deserialize(input["Content"].take()).map_err(unreadable)?;
    let layer = read::<Place>(&input)?.layer_name;
    let input = read::<PublishLayer>(&input)?;
    let code = intake::take_in(cloud, content).await?;
    let made =
        cloud.change(|core, now| core.lambda.publish_layer_version(now, &layer, input, code))?;
    Ok(placed(cloud, made))
}

/// Performs an operation; none if it is none of these.
pub(super) fn perform(call: &Call<'_>) -> Option<Outcome> {
    if !call.operation.contains("Layer") {
        return None;
    }
    let layer = match read::<Place>(call.input) {
        Ok(layer) => layer,
        Err(error) => return Some(Err(error)),
    };
    look(call, &layer).or_else(|| change(call, &layer))
}

fn look(call: &Call<'_>, layer: &Place) -> Option<Outcome> {
    let (name, number) = (layer.layer_name.as_str(), layer.version_number);
    let filter = || read::<LayerFilter>(call.input);
    Some(match call.operation {
        "GetLayerVersion" => call
            .look(|core, _| core.lambda.get_layer_version(name, number))
            .map(|version| placed(call.cloud, version)),
        "GetLayerVersionByArn" => call
            .look(|core, _| core.lambda.get_layer_version_by_arn(&layer.arn))
            .map(|version| placed(call.cloud, version)),
        "GetLayerVersionPolicy" => call.look(|core, _| core.lambda.get_layer_policy(name, number)),
        "ListLayers" => call.list("Layers", |core, _, marker, max| {
            Ok(core.lambda.list_layers(&filter()?, marker, max))
        }),
        "ListLayerVersions" => call.list("LayerVersions", |core, _, marker, max| {
            core.lambda.list_layer_versions(name, &filter()?, marker, max)
        }),
        _ => return None,
    })
}

fn change(call: &Call<'_>, layer: &Place) -> Option<Outcome> {
    let (name, number) = (layer.layer_name.as_str(), layer.version_number);
    Some(match call.operation {
        "DeleteLayerVersion" => {
            call.change(|core, _| core.lambda.delete_layer_version(name, number))
        }
        "AddLayerVersionPermission" => call.change_by(|core, _, input: AddLayerPermission| {
            core.lambda.add_layer_permission(&mut core.ids, name, number, &input)
        }),
        "RemoveLayerVersionPermission" => call.change(|core, _| {
            let (lambda, ids, revision) = (&mut core.lambda, &mut core.ids, call.revision());
            let statement = &call.on.statement_id;
            lambda.remove_layer_permission(ids, name, number, statement, revision)
        }),
        _ => return None,
    })
}

/// Tells where the content can be downloaded.
fn placed(cloud: &Cloud, mut version: Value) -> Value {
    let content = &mut version["Content"];
    if let Some(url) = content["CodeSha256"].as_str().map(|sha256| cloud.shared.code_url(sha256)) {
        content["Location"] = json!(url);
    }
    version
}
