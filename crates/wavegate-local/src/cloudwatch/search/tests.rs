//! The user guide's examples.

use super::*;
use crate::cloudwatch::store::Samples;
use crate::cloudwatch::unit::Unit;

fn metric(namespace: &str, name: &str, dimensions: &[(&str, &str)]) -> MetricKey {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    MetricKey::new(namespace.into(), name.into(), dimensions.iter().map(owned).collect())
}

#[test]
fn names_fall_into_words_where_the_guide_says_so() {
    let rows: [(&str, &[&str]); 5] = [
        ("CustomCount1", &["custom", "count", "1"]),
        ("SDBFailure", &["sdb", "failure"]),
        ("Project2-trial333", &["project", "2", "trial", "333"]),
        ("Network-Errors_2", &["network", "errors", "2"]),
        ("couNT", &["cou", "nt"]),
    ];
    for (name, expected) in rows {
        assert_eq!(tokens::words(name), expected, "{name}");
    }
}

#[test]
fn terms_match_as_the_guide_says() {
    let key = metric("AWS/Lambda", "CustomCount1", &[("FunctionName", "shop-live")]);
    let home = Home { region: "r".into(), account: "1".into() };
    let rows = [
        ("count", true),
        ("COUNT", true),
        ("couNT", false),
        ("CustomCount", true),
        ("Count1", true),
        ("customcount1", true),
        ("customcount", false),
        ("\"CustomCount1\"", true),
        ("\"customcount1\"", false),
        ("\"Custom\"", false),
        ("{AWS/Lambda}", true),
        ("{AWS/Lambda, FunctionName}, \"CustomCount1\"", true),
        ("{AWS/Lambda,Resource}", false),
        ("{AWS/Lambda,FunctionName,Resource}", false),
        ("MetricName=count FunctionName=shop", true),
        ("MetricName=shop", false),
        ("FunctionName=\"shop-live\" Namespace=\"AWS/Lambda\"", true),
        (":aws.AccountId=1", true),
        ("count AND NOT live", false),
        ("NOT Namespace=EC2", true),
        ("(EC2 OR Lambda) AND (MetricName=errors OR live)", true),
        ("EC2 OR Lambda errors", false),
    ];
    for (text, expected) in rows {
        let search = Search::parse(text).unwrap_or_else(|reason| panic!("{text}: {reason}"));
        assert_eq!(search.finds(&key, &home), expected, "{text}");
    }
}

#[test]
fn what_is_no_search_is_refused() {
    let rows = [
        ("", "empty"),
        ("{}", "needs a namespace"),
        ("{AWS/EC2", "not closed"),
        ("(a", "not closed"),
        ("a OR", "ends where"),
        ("Name=", "needs a value"),
        ("\"open", "not closed"),
        (&"(".repeat(100), "deeper than"),
        (&"NOT ".repeat(100), "deeper than"),
        (&"a".repeat(1_025), "1024 characters"),
    ];
    for (text, expected) in rows {
        let reason = Search::parse(text).unwrap_err();
        assert!(reason.contains(expected), "{text}: {reason}");
    }
}

#[test]
fn what_is_found_is_sorted() {
    let mut store = Store::default();
    let value = Samples::Value { value: 1.0, count: 1.0 };
    for name in ["b", "a", "c"] {
        store.add(metric("NS", name, &[]), Unit::None, 0, false, value);
    }
    let home = Home::default();
    let found = Search::parse("{NS} NOT MetricName=c").unwrap().find(&store, &home);
    let names: Vec<&str> = found.into_iter().map(|key| key.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
}
