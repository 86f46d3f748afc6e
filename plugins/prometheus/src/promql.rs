//! The words of a query that stand for what is looked at. Pure.

use wavegate_plugin_sdk::AlarmSubject;

/// What can be written behind a `$`.
pub(crate) const WORDS: [&str; 5] = ["app", "function", "alias", "stable", "candidate"];

/// One piece of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece<'a> {
    Text(&'a str),
    /// What stands behind a `$`, if it reads like a name.
    Word(&'a str),
}

/// The query for this subject. Values are escaped as PromQL's string literals in `"` and `'` want
/// it; a word that stands for nothing stays as it is.
pub(crate) fn fill(query: &str, subject: &AlarmSubject) -> String {
    pieces(query)
        .map(|piece| match piece {
            Piece::Text(text) => text.to_owned(),
            Piece::Word(word) => value(subject, word).map_or(format!("${word}"), escaped),
        })
        .collect()
}

/// Whether the query has this word.
pub(crate) fn mentions(query: &str, word: &str) -> bool {
    pieces(query).any(|piece| piece == Piece::Word(word))
}

/// The words that stand for nothing.
pub(crate) fn unknown_words(query: &str) -> impl Iterator<Item = &str> {
    pieces(query).filter_map(|piece| match piece {
        Piece::Word(word) if !WORDS.contains(&word) => Some(word),
        _ => None,
    })
}

fn value<'a>(subject: &'a AlarmSubject, word: &str) -> Option<&'a str> {
    match word {
        "app" => Some(&subject.app),
        "function" => Some(&subject.function),
        "alias" => Some(&subject.alias),
        "stable" => subject.stable.as_deref(),
        "candidate" => subject.candidate.as_deref(),
        _ => None,
    }
}

/// Escapes by number: `\"` is not known inside `'...'`, nor `\'` inside `"..."`.
fn escaped(value: &str) -> String {
    value
        .chars()
        .map(|c| match c {
            '\\' | '"' | '\'' => format!("\\x{:02x}", u32::from(c)),
            c if c.is_ascii_control() => format!("\\x{:02x}", u32::from(c)),
            c => c.to_string(),
        })
        .collect()
}

fn pieces(query: &str) -> impl Iterator<Item = Piece<'_>> {
    // Before the first `$` there is no word. `$1` and a `$` at the end of a pattern are no words.
    let mut parts = query.split('$');
    let first = parts.next().map(Piece::Text);
    let rest = parts.flat_map(|part| {
        let end = part.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let (word, text) = part.split_at(end.unwrap_or(part.len()));
        if word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            [Piece::Word(word), Piece::Text(text)]
        } else {
            [Piece::Text("$"), Piece::Text(part)]
        }
    });
    first.into_iter().chain(rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn subject(app: &str) -> AlarmSubject {
        AlarmSubject {
            app: app.into(),
            function: "shop-auth".into(),
            alias: "live".into(),
            stable: None,
            candidate: Some("5".into()),
        }
    }

    #[test]
    fn words_are_replaced_as_a_whole() {
        for (query, filled) in [
            (r#"up{app="$app", fn='$function'}"#, r#"up{app="shop", fn='shop-auth'}"#),
            ("$candidate$alias", "5live"),
            ("$application $app_x $apps", "$application $app_x $apps"),
            ("$app-$candidate.", "shop-5."),
            ("$stable", "$stable"),
            (r#"a{b=~"c$"}"#, r#"a{b=~"c$"}"#),
            (
                r#"label_replace(a, "x", "$1$2", "b", "(.*)")"#,
                r#"label_replace(a, "x", "$1$2", "b", "(.*)")"#,
            ),
            ("$$app $", "$shop $"),
            ("", ""),
        ] {
            assert_eq!(fill(query, &subject("shop")), filled, "{query}");
        }
    }

    #[test]
    fn a_value_cannot_end_the_literal_that_it_stands_in() {
        let filled = fill(r#"up{a="$app", b='$app'}"#, &subject("x\"} or up{\\'\n$app"));
        let value = r"x\x22} or up{\x5c\x27\x0a$app";
        assert_eq!(filled, format!(r#"up{{a="{value}", b='{value}'}}"#));
    }

    #[test]
    fn which_words_are_there_is_known_before_anything_is_asked() {
        let query = r#"a{v="$candidate", b=~"$candidates$"} / $1"#;
        assert!(mentions(query, "candidate"));
        assert!(!mentions(query, "app"));
        assert_eq!(unknown_words(query).collect::<Vec<_>>(), ["candidates"]);
    }

    proptest! {
        #[test]
        fn without_words_a_query_stays_as_it_is(query in "[^$]*|([$][^a-z_A-Z$]|[^$])*[$]?") {
            prop_assert_eq!(fill(&query, &subject("shop")), query);
        }
    }
}
