//! Topics and judgments together, and reference collections.

use crate::benchmark::spec::{SessionsPath, TrecSpec};
use crate::load::LoadError;
use crate::load::dirt::{Dirt, DirtKind};
use crate::load::fixture::{Fixture, gzip, read_all, shared};
use crate::session::{Judgment, Session};

fn trec(topics: Option<&std::path::Path>, qrels: &std::path::Path) -> SessionsPath {
    let text = |path: &std::path::Path| path.display().to_string();
    SessionsPath::Trec(TrecSpec { topics: topics.map(text), qrels: text(qrels) })
}

fn from_shared(topics: Option<&str>, qrels: &str) -> Option<(Vec<Session>, Dirt)> {
    let topics = topics.map(shared);
    let (sessions, dirt) = read_all(&trec(topics.flatten().as_deref(), &shared(qrels)?));
    Some((sessions.expect("sessions"), dirt))
}

fn judgments(sessions: &[Session]) -> usize {
    sessions.iter().map(|session| session.judgments.len()).sum()
}

#[test]
fn topics_and_judgments_are_joined_in_order_of_first_appearance() {
    let fixture = Fixture::new();
    let topics = fixture.write("topics.tsv.gz", gzip("\u{feff}q3\tthree\r\n\nq1\t one  two \nq2\t\n"));
    let qrels = fixture.write("qrels", "q9 0 a 1\nq1 0 b 2\nq1 0 a 0\nq3 0 a 1\n");
    let (sessions, dirt) = read_all(&trec(Some(&topics), &qrels));
    let sessions = sessions.expect("sessions");
    let ids: Vec<_> = sessions.iter().map(|session| (session.session_id.as_str(), session.query.as_deref())).collect();
    assert_eq!(ids, [("q3", Some("three")), ("q1", Some("one two")), ("q2", None), ("q9", None)]);
    let judgment = |item: &str, grade| Judgment { item_id: item.into(), grade };
    assert_eq!(sessions[1].judgments, [judgment("b", 2.0), judgment("a", 0.0)]);
    for kind in
        [DirtKind::TopicWithoutJudgments, DirtKind::JudgmentsWithoutTopic, DirtKind::EmptyQuery, DirtKind::BlankLine]
    {
        assert_eq!(dirt.count(kind), 1, "{kind}");
    }
    let (sessions, dirt) = read_all(&trec(None, &qrels));
    assert_eq!(sessions.expect("sessions").len(), 3);
    assert!(dirt.is_empty());
}

#[test]
fn bad_topics_are_named() {
    let fixture = Fixture::new();
    let qrels = fixture.write("qrels", "1 0 a 1\n");
    let error =
        |content: &str| read_all(&trec(Some(&fixture.write("topics", content)), &qrels)).0.expect_err("an error");
    let duplicate = error("1\ta\n2\tb\n1\tc\n");
    assert!(matches!(duplicate, LoadError::Duplicate { row: 3, first: 1, what: "topic", .. }), "{duplicate}");
    assert!(error("1\ta\n2 b\n").to_string().contains("row 2: found no tab"));
    assert!(error("1\ta\n\tb\n").to_string().contains("row 2: the topic has no id"));
    assert!(error("<topics>\n<topic number=\"1\">\n<query>a</topic>").to_string().contains("not well-formed"));
    assert!(error("1\ta\0\n1\t\0").to_string().contains("duplicate"));
}

#[test]
fn trec_covid_has_30_topics_and_8691_judgments() {
    let name = |file: &str| format!("trec-covid-round1/{file}");
    let Some((sessions, dirt)) = from_shared(Some(&name("topics.xml")), &name("qrels.txt")) else { return };
    assert_eq!((sessions.len(), judgments(&sessions)), (30, 8691));
    assert_eq!(sessions[0].query.as_deref(), Some("coronavirus origin"));
    assert!(sessions[0].inputs.as_deref().is_some_and(|inputs| inputs.contains("what is the origin of COVID-19")));
    assert_eq!(dirt.count(DirtKind::NonIntegerIteration), 2627);
    let graded = |grade| sessions.iter().flat_map(|session| &session.judgments).filter(|j| j.grade == grade).count();
    assert_eq!([graded(0.0), graded(1.0), graded(2.0)], [6339, 1115, 1237]);
    assert_eq!(dirt.iter().count(), 1);
}

#[test]
fn comments_of_trec_eval_are_skipped_and_signs_in_document_ids_kept() {
    let Some((plain, _)) = from_shared(None, "trec-eval-golden/qrels.test") else { return };
    let Some((commented, dirt)) = from_shared(None, "trec-eval-golden/qrels.test.with-comments") else { return };
    assert_eq!(dirt.count(DirtKind::CommentLine), 3);
    assert_eq!((judgments(&plain), judgments(&commented)), (3681, 3681));
    assert!(commented[0].judgments.iter().any(|judgment| judgment.item_id == "CR#93E-1860"));
    let Some((sessions, dirt)) = from_shared(None, "trec-eval-golden/qrels.comment.test.gz") else { return };
    assert_eq!((judgments(&sessions), dirt.is_empty()), (5890, true));
    assert!(sessions.iter().flat_map(|session| &session.judgments).all(|judgment| judgment.item_id.contains('#')));
}

#[test]
fn scifact_has_300_topics_and_339_judgments() {
    let Some((sessions, dirt)) = from_shared(Some("scifact/topics.test.tsv"), "scifact/qrels.test.txt") else { return };
    assert_eq!((sessions.len(), judgments(&sessions)), (300, 339));
    assert!(dirt.is_empty());
}

#[test]
fn cranfield_numbers_that_do_not_join_are_counted() {
    let Some((sessions, dirt)) = from_shared(None, "cranfield/normalized/qrels.txt") else { return };
    assert_eq!((sessions.len(), judgments(&sessions)), (225, 1837));
    assert_eq!(dirt.count(DirtKind::NegativeGrade), 225);
    let printed = from_shared(Some("cranfield/trec/cran.qry.xml"), "cranfield/trec/cranqrel.trec.txt");
    let Some((sessions, dirt)) = printed else { return };
    let topics = sessions.iter().filter(|session| session.query.is_some()).count();
    assert_eq!(topics, 225);
    // The topics print numbers with gaps up to 365, the judgments use 1 to 225.
    assert_eq!(dirt.count(DirtKind::TopicWithoutJudgments), 73);
    assert_eq!(dirt.count(DirtKind::JudgmentsWithoutTopic), 73);
}
