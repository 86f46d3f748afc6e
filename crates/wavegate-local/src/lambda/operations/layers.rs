//! Layers, their versions and who may use them.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::functions::nothing;
use super::{Subject, list, read, shown, unreadable};
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
pub(super) fn perform(
    cloud: &Cloud,
    operation: &str,
    on: &Subject,
    input: &Value,
) -> Option<Result<Value, ApiError>> {
    if !operation.contains("Layer") {
        return None;
    }
    let layer = match read::<Place>(input) {
        Ok(layer) => layer,
        Err(error) => return Some(Err(error)),
    };
    look(cloud, operation, on, &layer, input)
        .or_else(|| change(cloud, operation, on, &layer, input))
}

fn look(
    cloud: &Cloud,
    operation: &str,
    on: &Subject,
    layer: &Place,
    input: &Value,
) -> Option<Result<Value, ApiError>> {
    let (name, number) = (layer.layer_name.as_str(), layer.version_number);
    Some(match operation {
        "GetLayerVersion" => cloud
            .read(|core, _| core.lambda.get_layer_version(name, number))
            .map(|version| placed(cloud, version)),
        "GetLayerVersionByArn" => cloud
            .read(|core, _| core.lambda.get_layer_version_by_arn(&layer.arn))
            .map(|version| placed(cloud, version)),
        "GetLayerVersionPolicy" => {
            cloud.read(|core, _| shown(&core.lambda.get_layer_policy(name, number)?))
        }
        "ListLayers" => read::<LayerFilter>(input).and_then(|filter| {
            cloud.read(|core, _| {
                list("Layers", core.lambda.list_layers(&filter, on.marker(), on.max_items))
            })
        }),
        "ListLayerVersions" => read::<LayerFilter>(input).and_then(|filter| {
            cloud.read(|core, _| {
                let (marker, max_items) = (on.marker(), on.max_items);
                let page = core.lambda.list_layer_versions(name, &filter, marker, max_items)?;
                list("LayerVersions", page)
            })
        }),
        _ => return None,
    })
}

fn change(
    cloud: &Cloud,
    operation: &str,
    on: &Subject,
    layer: &Place,
    input: &Value,
) -> Option<Result<Value, ApiError>> {
    let (name, number) = (layer.layer_name.as_str(), layer.version_number);
    Some(match operation {
        "DeleteLayerVersion" => {
            nothing(cloud.change(|core, _| core.lambda.delete_layer_version(name, number)))
        }
        "AddLayerVersionPermission" => read::<AddLayerPermission>(input).and_then(|input| {
            cloud.change(|core, _| {
                core.lambda.add_layer_permission(&mut core.ids, name, number, &input)
            })
        }),
        "RemoveLayerVersionPermission" => nothing(cloud.change(|core, _| {
            let (lambda, ids) = (&mut core.lambda, &mut core.ids);
            let revision = on.revision_id.as_deref();
            lambda.remove_layer_permission(ids, name, number, &on.statement_id, revision)
        })),
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
