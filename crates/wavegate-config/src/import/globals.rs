//! SAM's `Globals` laid under every function, as SAM lays them: maps merged, lists put behind each
//! other (the global ones first), all else replaced. An intrinsic function is one value.
//! Source: `samtranslator/plugins/globals/globals.py`.

use crate::import::cfn::intrinsic;
use crate::import::yaml::{Key, Kind, Node};

/// The type that `Globals.Function` is for.
pub(crate) const FUNCTION: &str = "AWS::Serverless::Function";

/// The template with the globals of functions in each of them.
pub(crate) fn spread(mut root: Node) -> Node {
    let Some(globals) = root.at(&["Globals", "Function"]).cloned() else { return root };
    let Kind::Map(sections) = &mut root.kind else { return root };
    let resources = sections.iter_mut().find(|(key, _)| key.text == "Resources");
    let Some((_, Node { kind: Kind::Map(resources), .. })) = resources else { return root };
    for (key, resource) in resources {
        if resource.get("Type").and_then(Node::text) != Some(FUNCTION) {
            continue;
        }
        let Kind::Map(entries) = &mut resource.kind else { continue };
        if let Some((_, own)) = entries.iter_mut().find(|(key, _)| key.text == "Properties") {
            *own = merged(&globals, own);
        } else {
            let name = Key { text: "Properties".to_owned(), span: key.span.clone() };
            entries.push((name, globals.clone()));
        }
    }
    root
}

fn merged(global: &Node, local: &Node) -> Node {
    let is_value = |node: &Node| intrinsic(node).is_some();
    let kind = match (&global.kind, &local.kind) {
        (Kind::Map(under), Kind::Map(over)) if !is_value(global) && !is_value(local) => {
            let mut entries: Vec<_> = over
                .iter()
                .map(|(key, node)| match global.get(&key.text) {
                    Some(under) => (key.clone(), merged(under, node)),
                    None => (key.clone(), node.clone()),
                })
                .collect();
            entries.extend(under.iter().filter(|(key, _)| local.get(&key.text).is_none()).cloned());
            Kind::Map(entries)
        }
        (Kind::List(under), Kind::List(over)) => {
            Kind::List(under.iter().chain(over).cloned().collect())
        }
        _ => return local.clone(),
    };
    Node { kind, span: local.span.clone() }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::import::yaml;
    use crate::problem::Source;

    fn spread_text(text: &str) -> Node {
        spread(yaml::read(&Source::new(Path::new("t.yaml"), text), text).unwrap())
    }

    #[test]
    fn maps_are_merged_lists_appended_and_all_else_is_replaced() {
        let root = spread_text(
            "Globals:\n  Function:\n    Timeout: 3\n    Layers: [a]\n    Environment: {Variables: {A: 1, B: 1}}\n    \
             VpcConfig: !If [C, {SubnetIds: [x]}, {}]\nResources:\n  F:\n    Type: AWS::Serverless::Function\n    \
             Properties:\n      Timeout: 5\n      Layers: [b]\n      Environment: {Variables: {B: 2}}\n      \
             VpcConfig: {SubnetIds: [y]}\n  G:\n    Type: AWS::Serverless::Function\n  L:\n    Type: AWS::Lambda::Function\n",
        );
        let own = root.at(&["Resources", "F", "Properties"]).unwrap();
        let text = |path: &[&str]| own.at(path).and_then(Node::text);
        assert_eq!(text(&["Timeout"]), Some("5"));
        assert_eq!(text(&["Environment", "Variables", "A"]), Some("1"));
        assert_eq!(text(&["Environment", "Variables", "B"]), Some("2"));
        let layers = own.get("Layers").unwrap().list().unwrap();
        let layers: Vec<_> = layers.iter().filter_map(Node::text).collect();
        assert_eq!(layers, ["a", "b"]);
        assert!(own.at(&["VpcConfig", "Fn::If"]).is_none());
        let other = root.at(&["Resources", "G", "Properties", "Timeout"]);
        assert_eq!(other.and_then(Node::text), Some("3"));
        assert!(root.at(&["Resources", "L", "Properties"]).is_none());
    }
}
