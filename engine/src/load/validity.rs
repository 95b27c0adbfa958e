//! Which numbers a session may carry; the same rule for every layout.

use crate::schema::column;
use crate::session::Session;

/// Returns what is wrong with the number of that column, or `None`.
///
/// A number that is not finite would silently spoil every mean that it enters, and a propensity outside (0, 1] is no
/// probability that an item was shown.
pub(super) fn number_fault(column: &str, value: f64) -> Option<String> {
    let name = column.rsplit('.').next().unwrap_or(column);
    if !value.is_finite() {
        return Some(format!("`{column}` is {value}, expected a finite number"));
    }
    if name == column::PROPENSITY && !(value > 0.0 && value <= 1.0) {
        return Some(format!("`{column}` is {value}, expected a probability above 0 and up to 1"));
    }
    None
}

/// Returns what is wrong with the session, or `None`.
pub(super) fn session_fault(session: &Session) -> Option<String> {
    if session.session_id.is_empty() {
        return Some(format!("`{}` is empty", column::SESSION_ID));
    }
    let vector = session.query_vector.iter().flatten().map(|value| ("query_vector", f64::from(*value)));
    let shown = session.shown.iter().flat_map(|item| {
        item.score
            .map(|score| ("shown.score", score))
            .into_iter()
            .chain(item.propensity.map(|p| ("shown.propensity", p)))
    });
    let values = session.interactions.iter().filter_map(|act| act.value.map(|value| ("interactions.value", value)));
    let grades = session.judgments.iter().map(|judgment| ("judgments.grade", f64::from(judgment.grade)));
    let mut numbers = vector.chain(shown).chain(values).chain(grades);
    numbers.find_map(|(column, value)| number_fault(column, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{Judgment, ShownItem};

    #[test]
    fn faults_name_the_column() {
        let judged = |grade| Session {
            session_id: "s".into(),
            judgments: vec![Judgment { item_id: "a".into(), grade }],
            ..Session::default()
        };
        assert_eq!(session_fault(&judged(-1.0)), None);
        assert!(session_fault(&judged(f32::NAN)).is_some_and(|fault| fault.contains("judgments.grade")));
        let shown = ShownItem { item_id: "a".into(), score: None, propensity: Some(0.0) };
        let session = Session { shown: vec![shown], ..judged(1.0) };
        assert!(session_fault(&session).is_some_and(|fault| fault.contains("shown.propensity")));
        assert!(session_fault(&Session::default()).is_some_and(|fault| fault.contains("session_id")));
    }
}
