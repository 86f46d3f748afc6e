//! Metrics Insights: queries such as `SELECT MAX(Errors) FROM "AWS/Lambda" WHERE FunctionName = 'shop'
//! GROUP BY Resource ORDER BY MAX() DESC LIMIT 5`.
//!
//! The language is the user guide's ("Metrics Insights query components and syntax"). A metric without a
//! dimension that a condition or a group names is not looked at, and series come in the order of their
//! labels where no other is asked for: the guide is silent on both. Deliberately absent: tags.

use std::collections::BTreeMap;

use super::math::{Outcome, TimeSeries};
use super::statistic::Statistic;
use super::store::{Bucket, MetricKey, Store, Window};

/// AWS: the most series that a query gives.
const MOST_SERIES: usize = 500;

/// A parsed query.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Query {
    statistic: Statistic,
    metric: String,
    namespace: String,
    /// Exactly the dimensions that metrics must have, where they are given.
    schema: Option<Vec<String>>,
    conditions: Vec<Condition>,
    groups: Vec<String>,
    /// What series are ordered by, and whether the largest come first.
    order: Option<(Statistic, bool)>,
    limit: usize,
}

/// What a dimension must, or must not, be.
#[derive(Clone, Debug, PartialEq)]
struct Condition {
    dimension: String,
    is_equal: bool,
    value: String,
}

impl Query {
    /// Whether an expression is one of these.
    pub(crate) fn is_one(text: &str) -> bool {
        text.split_whitespace().next().is_some_and(|first| first.eq_ignore_ascii_case("SELECT"))
    }

    /// Parses a query.
    ///
    /// # Errors
    /// What is wrong, as a sentence without its end.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser { tokens: tokens(text)?, next: 0 };
        parser.expect("SELECT")?;
        let statistic = parser.function()?;
        let metric = parser.name("the name of a metric")?;
        parser.symbol(")")?;
        parser.expect("FROM")?;
        let (namespace, schema) = parser.source()?;
        let conditions = if parser.skip("WHERE") { parser.conditions()? } else { Vec::new() };
        let groups = if parser.skip("GROUP") { parser.groups()? } else { Vec::new() };
        let order = if parser.skip("ORDER") { Some(parser.order()?) } else { None };
        let limit = if parser.skip("LIMIT") { parser.number()? } else { MOST_SERIES };
        match parser.tokens.get(parser.next) {
            None => Ok(Self {
                statistic,
                metric,
                namespace,
                schema,
                conditions,
                groups,
                order,
                limit: limit.min(MOST_SERIES),
            }),
            Some(token) => Err(format!("{token} was not expected")),
        }
    }

    /// Whether it may give several series.
    pub(crate) fn is_grouped(&self) -> bool {
        !self.groups.is_empty()
    }

    /// Its series over a window.
    pub(crate) fn evaluate(&self, store: &Store, window: Window) -> Outcome {
        let mut groups: BTreeMap<String, BTreeMap<i64, Bucket>> = BTreeMap::new();
        if !self.is_grouped() {
            groups.insert(String::new(), BTreeMap::new());
        }
        for (key, metric) in store.sorted() {
            let Some(label) = self.group_of(key) else { continue };
            let group = groups.entry(label).or_default();
            for (at, bucket) in metric.read(None, window) {
                group.entry(at).or_default().merge(&bucket);
            }
        }
        let mut groups: Vec<_> = groups.into_iter().collect();
        if let Some((statistic, is_descending)) = self.order {
            let rank = |buckets: &BTreeMap<i64, Bucket>| {
                let mut all = Bucket::default();
                for bucket in buckets.values() {
                    all.merge(bucket);
                }
                statistic.of(&all).unwrap_or(f64::NEG_INFINITY)
            };
            let ranked = groups.into_iter().map(|group| (rank(&group.1), group));
            let mut ranked: Vec<(f64, _)> = ranked.collect();
            ranked.sort_by(|(left, _), (right, _)| {
                let ascending = left.total_cmp(right);
                if is_descending { ascending.reverse() } else { ascending }
            });
            groups = ranked.into_iter().map(|(_, group)| group).collect();
        }
        groups.truncate(self.limit);
        let mut series = groups.into_iter().map(|(label, buckets)| TimeSeries {
            label,
            period: window.period,
            points: buckets
                .into_iter()
                .filter_map(|(at, bucket)| Some((at, self.statistic.of(&bucket)?)))
                .collect(),
            origin: None,
        });
        if self.is_grouped() {
            Outcome::Array(series.collect())
        } else {
            Outcome::Series(series.next().unwrap_or_default())
        }
    }

    /// The label of the group that a metric is in; none if it is not asked for.
    fn group_of(&self, key: &MetricKey) -> Option<String> {
        let value = |name: &String| {
            key.dimensions.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
        };
        let has_schema = |schema: &Vec<String>| {
            schema.len() == key.dimensions.len() && schema.iter().all(|name| value(name).is_some())
        };
        let is_meant = key.namespace == self.namespace
            && key.name == self.metric
            && self.schema.as_ref().is_none_or(has_schema)
            && self.conditions.iter().all(|condition| {
                value(&condition.dimension)
                    .is_some_and(|value| (value == condition.value) == condition.is_equal)
            });
        if !is_meant {
            return None;
        }
        let values: Option<Vec<&str>> = self.groups.iter().map(value).collect();
        values.map(|values| values.join(" "))
    }
}

/// A part of a query.
#[derive(Clone, Debug, PartialEq)]
enum Token {
    /// A keyword, or a name without quotes.
    Word(String),
    /// A name in double quotes.
    Name(String),
    /// A value in single quotes.
    Value(String),
    /// One of `(`, `)`, `,`, `=`, `!=`.
    Symbol(&'static str),
}

impl std::fmt::Display for Token {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Word(word) => write!(to, "{word}"),
            Self::Name(name) => write!(to, "\"{name}\""),
            Self::Value(value) => write!(to, "'{value}'"),
            Self::Symbol(symbol) => write!(to, "{symbol}"),
        }
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    const SYMBOLS: [&str; 5] = ["(", ")", ",", "=", "!="];
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let symbol = SYMBOLS.into_iter().find(|symbol| rest.starts_with(symbol));
        let (token, length) = if let Some(symbol) = symbol {
            (Token::Symbol(symbol), symbol.len())
        } else if first == '"' || first == '\'' {
            let inner = rest[1..].split(first).next().unwrap_or_default();
            if rest.len() < inner.len() + 2 {
                return Err(format!("a text that begins with {first} is not closed"));
            }
            let kind = if first == '"' { Token::Name } else { Token::Value };
            (kind(inner.to_owned()), inner.len() + 2)
        } else {
            let is_inside = |letter: char| letter.is_alphanumeric() || letter == '_';
            let length = rest.find(|letter| !is_inside(letter)).unwrap_or(rest.len());
            if length == 0 {
                return Err(format!("the character '{first}' means nothing"));
            }
            (Token::Word(rest[..length].to_owned()), length)
        };
        tokens.push(token);
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

struct Parser {
    tokens: Vec<Token>,
    next: usize,
}

impl Parser {
    fn take(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.next).cloned();
        self.next += 1;
        token
    }

    /// Takes a keyword, if it is the next.
    fn skip(&mut self, keyword: &str) -> bool {
        let is_next = matches!(self.tokens.get(self.next),
            Some(Token::Word(word)) if word.eq_ignore_ascii_case(keyword));
        self.next += usize::from(is_next);
        is_next
    }

    fn expect(&mut self, keyword: &str) -> Result<(), String> {
        if self.skip(keyword) { Ok(()) } else { Err(self.wanted(keyword)) }
    }

    fn symbol(&mut self, symbol: &'static str) -> Result<(), String> {
        if self.skip_symbol(symbol) { Ok(()) } else { Err(self.wanted(symbol)) }
    }

    fn skip_symbol(&mut self, symbol: &'static str) -> bool {
        let is_next = self.tokens.get(self.next) == Some(&Token::Symbol(symbol));
        self.next += usize::from(is_next);
        is_next
    }

    fn wanted(&self, what: &str) -> String {
        match self.tokens.get(self.next) {
            Some(token) => format!("{what} was expected where {token} stands"),
            None => format!("{what} was expected at the end"),
        }
    }

    fn name(&mut self, what: &str) -> Result<String, String> {
        match self.tokens.get(self.next).cloned() {
            Some(Token::Word(name) | Token::Name(name)) => {
                self.next += 1;
                Ok(name)
            }
            _ => Err(self.wanted(what)),
        }
    }

    /// A function and the parenthesis behind it.
    fn function(&mut self) -> Result<Statistic, String> {
        let wanted = self.wanted("AVG, COUNT, MAX, MIN or SUM");
        let name = match self.take() {
            Some(Token::Word(name)) => name.to_ascii_uppercase(),
            _ => return Err(wanted),
        };
        let statistic = match name.as_str() {
            "AVG" => Statistic::Average,
            "COUNT" => Statistic::SampleCount,
            "MAX" => Statistic::Maximum,
            "MIN" => Statistic::Minimum,
            "SUM" => Statistic::Sum,
            _ => return Err(wanted),
        };
        self.symbol("(")?;
        Ok(statistic)
    }

    /// A namespace, or one with the dimensions that metrics have.
    fn source(&mut self) -> Result<(String, Option<Vec<String>>), String> {
        if !self.skip("SCHEMA") {
            return Ok((self.name("a namespace")?, None));
        }
        self.symbol("(")?;
        let namespace = self.name("a namespace")?;
        let mut dimensions = Vec::new();
        while self.skip_symbol(",") {
            dimensions.push(self.name("the name of a dimension")?);
        }
        self.symbol(")")?;
        Ok((namespace, Some(dimensions)))
    }

    fn conditions(&mut self) -> Result<Vec<Condition>, String> {
        let mut conditions = Vec::new();
        loop {
            let dimension = self.name("the name of a dimension")?;
            let is_equal = !self.skip_symbol("!=");
            if is_equal {
                self.symbol("=")?;
            }
            let wanted = self.wanted("a value in single quotes");
            let Some(Token::Value(value)) = self.take() else { return Err(wanted) };
            conditions.push(Condition { dimension, is_equal, value });
            if !self.skip("AND") {
                return Ok(conditions);
            }
        }
    }

    fn groups(&mut self) -> Result<Vec<String>, String> {
        self.expect("BY")?;
        let mut groups = vec![self.name("the name of a dimension")?];
        while self.skip_symbol(",") {
            groups.push(self.name("the name of a dimension")?);
        }
        Ok(groups)
    }

    fn order(&mut self) -> Result<(Statistic, bool), String> {
        self.expect("BY")?;
        let statistic = self.function()?;
        self.symbol(")")?;
        let is_descending = self.skip("DESC");
        if !is_descending {
            self.skip("ASC");
        }
        Ok((statistic, is_descending))
    }

    fn number(&mut self) -> Result<usize, String> {
        let wanted = self.wanted("a number");
        match self.take() {
            Some(Token::Word(number)) => number.parse().map_err(|_| wanted),
            _ => Err(wanted),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::store::Samples;
    use super::super::unit::Unit;
    use super::*;

    fn store() -> Store {
        let mut store = Store::default();
        for (path, audience, value) in
            [("/a", "x", 1.0), ("/a", "y", 5.0), ("/b", "x", 3.0), ("/b", "y", 4.0)]
        {
            let dimensions =
                [("Path", path), ("Audience", audience)].map(|(k, v)| (k.to_owned(), v.to_owned()));
            let key = MetricKey::new("My/Space".into(), "m".into(), dimensions.to_vec());
            store.add(key, Unit::None, 60_000, false, Samples::Value { value, count: 1.0 });
        }
        let bare = MetricKey::new("My/Space".into(), "m".into(), Vec::new());
        store.add(bare, Unit::None, 60_000, false, Samples::Value { value: 100.0, count: 1.0 });
        store
    }

    /// Labels and values of what a query gives.
    fn ask(text: &str) -> Vec<(String, f64)> {
        let query = Query::parse(text).unwrap();
        let window = Window { start: 60_000, end: 120_000, period: 60_000 };
        let series = match query.evaluate(&store(), window) {
            Outcome::Array(several) => several,
            Outcome::Series(one) => vec![one],
            Outcome::Scalar(_) => Vec::new(),
        };
        series.into_iter().map(|one| (one.label, one.points[&60_000])).collect()
    }

    #[test]
    fn metrics_are_put_together_group_by_group() {
        let of = |label: &str, value: f64| (label.to_owned(), value);
        assert_eq!(ask(r#"SELECT SUM(m) FROM "My/Space""#), [of("", 113.0)]);
        let schema = r#"SELECT SUM(m) FROM SCHEMA("My/Space", Path, Audience)"#;
        assert_eq!(ask(schema), [of("", 13.0)]);
        assert_eq!(
            ask(r#"select avg(m) from "My/Space" group by Path"#),
            [of("/a", 3.0), of("/b", 3.5)]
        );
        assert_eq!(
            ask(r#"SELECT MAX(m) FROM "My/Space" WHERE Path = '/a' GROUP BY Audience
                   ORDER BY MAX() DESC LIMIT 1"#),
            [of("y", 5.0)]
        );
        assert_eq!(
            ask(r#"SELECT COUNT(m) FROM "My/Space" WHERE Path != '/a' AND "Audience" = 'x'"#),
            [of("", 1.0)]
        );
        assert_eq!(
            ask(r#"SELECT MIN(m) FROM "My/Space" GROUP BY Path, Audience ORDER BY MIN()"#)[0],
            of("/a x", 1.0)
        );
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        for (text, reason) in [
            ("SELECT", "AVG, COUNT, MAX, MIN or SUM was expected at the end"),
            ("SELECT MED(m) FROM n", "AVG, COUNT, MAX, MIN or SUM was expected where MED stands"),
            ("SELECT AVG(m FROM n", ") was expected where FROM stands"),
            ("SELECT AVG(m) FROM 'n'", "a namespace was expected where 'n' stands"),
            ("SELECT AVG(m) FROM n WHERE a = \"b\"", "a value in single quotes was expected"),
            ("SELECT AVG(m) FROM n LIMIT x", "a number was expected where x stands"),
            ("SELECT AVG(m) FROM n or", "or was not expected"),
            ("SELECT AVG(m) FROM \"n", "a text that begins with \" is not closed"),
            ("SELECT AVG(m) FROM a/b", "the character '/' means nothing"),
        ] {
            let error = Query::parse(text).unwrap_err();
            assert!(error.starts_with(reason), "{text}: {error}");
        }
    }
}
