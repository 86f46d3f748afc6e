//! What can be said without a cloud. The measurements are tried on the local cloud and on moto, by
//! the end-to-end tests.

use super::*;

#[test]
fn only_a_name_with_the_mark_can_be_thrown_away() {
    let name = ThrowAway::new("wavegate", 7).unwrap();
    assert_eq!(name.name().as_str(), "wavegate-conformance-0000000000007");
    assert!(ThrowAway::new(&"x".repeat(64), 7).is_err());
    assert!(ThrowAway::new("a/b", 7).is_err());
}

#[test]
fn every_question_is_asked_once() {
    let mut order = ORDER;
    order.sort();
    assert_eq!(order, Question::ALL);
}
