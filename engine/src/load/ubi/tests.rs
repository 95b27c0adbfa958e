//! Logs with every trap, and a real one.

use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, Decimal128Array, Int64Array, ListArray, RecordBatch, StringArray, StructArray, TimestampMillisecondArray,
};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{DataType, Field};
use serde_json::{Value, json};

use crate::benchmark::spec::{SessionsPath, UbiSpec};
use crate::load::LoadError;
use crate::load::dirt::{Dirt, DirtKind};
use crate::load::fixture::{Fixture, arrow_file, gzip, read_all, shared};
use crate::session::Session;

fn ubi(queries: &Path, events: &Path, application: Option<&str>) -> SessionsPath {
    SessionsPath::Ubi(UbiSpec {
        queries: queries.display().to_string(),
        events: events.display().to_string(),
        application: application.map(str::to_owned),
    })
}

fn lines(records: &[Value]) -> String {
    records.iter().map(|record| record.to_string() + "\n").collect()
}

fn query(id: &str, served: &[&str]) -> Value {
    json!({"application": "shop", "query_id": id, "client_id": "c", "user_query": format!("text {id}"),
           "query_attributes": {}, "query_response_hit_ids": served, "timestamp": "2025-01-01T00:00:00.000Z"})
}

fn event(query: &str, action: &str, item: &str, ordinal: i64) -> Value {
    json!({"application": "shop", "query_id": query, "action_name": action, "session_id": "v", "client_id": "c",
           "timestamp": 1_735_689_601_000_i64,
           "event_attributes": {"object": {"object_id": item}, "position": {"ordinal": ordinal}}})
}

fn read(queries: &[Value], events: &[Value]) -> (Result<Vec<Session>, LoadError>, Dirt) {
    let fixture = Fixture::new();
    let queries = fixture.write("queries.jsonl", lines(queries));
    let events = fixture.write("events.jsonl.gz", gzip(lines(events)));
    read_all(&ubi(&queries, &events, None))
}

fn positions(session: &Session) -> Vec<(&str, Option<u32>)> {
    session.interactions.iter().map(|act| (act.item_id.as_str(), act.position)).collect()
}

fn shown(session: &Session) -> Vec<&str> {
    session.shown.iter().map(|item| item.item_id.as_str()).collect()
}

#[test]
fn a_query_and_its_events_become_a_session() {
    let mut with_attributes = query("q1", &["a", "b"]);
    with_attributes["query_attributes"] = json!({"tab": "all"});
    with_attributes["timestamp"] = json!("2025-01-01T00:00:00.000+0000");
    let (sessions, dirt) = read(
        &[with_attributes, query("q2", &["x"])],
        &[event("q1", "Add-To Cart", "b", 2), event("q1", "click", "a", 1), event("q1", "impression", "a", 1)],
    );
    let sessions = sessions.expect("sessions");
    let first = &sessions[0];
    assert_eq!((first.session_id.as_str(), first.query.as_deref()), ("q1", Some("text q1")));
    assert_eq!((first.visit_id.as_deref(), first.user_id.as_deref()), (Some("v"), Some("c")));
    assert_eq!((first.timestamp, first.inputs.as_deref()), (Some(1_735_689_600_000), Some("{\"tab\":\"all\"}")));
    assert_eq!(
        (shown(first), positions(first)),
        (vec!["a", "b"], vec![("b", Some(2)), ("a", Some(1)), ("a", Some(1))])
    );
    assert_eq!(
        (first.interactions[0].kind.as_str(), first.interactions[0].timestamp),
        ("add_to_cart", Some(1_735_689_601_000))
    );
    assert_eq!((sessions[1].visit_id.as_deref(), sessions[1].interactions.len()), (Some("c"), 0));
    assert_eq!(dirt.iter().collect::<Vec<_>>(), [(DirtKind::ClickPositionOneBased, 1)]);
}

#[test]
fn zero_based_logs_are_shifted_by_the_served_list() {
    let events = [event("q1", "click", "a", 0), event("q1", "click", "b", 1), event("q1", "click", "z", 4)];
    let (sessions, dirt) = read(&[query("q1", &["a", "b"])], &events);
    assert_eq!(positions(&sessions.expect("sessions")[0]), [("a", Some(1)), ("b", Some(2)), ("z", Some(5))]);
    assert_eq!((dirt.count(DirtKind::PositionBaseZero), dirt.count(DirtKind::ItemNotShown)), (3, 1));
    assert_eq!(dirt.count(DirtKind::PositionBaseMixed), 0);
}

#[test]
fn an_ordinal_of_zero_tells_where_no_list_was_served() {
    let events = [
        event("q1", "impression", "b", 1),
        event("q1", "impression", "a", 0),
        event("q1", "impression", "b", 1),
        event("q2", "click", "c", 3),
    ];
    let (sessions, dirt) = read(&[query("q1", &[]), query("q2", &[])], &events);
    let sessions = sessions.expect("sessions");
    assert_eq!((shown(&sessions[0]), positions(&sessions[1])), (vec!["a", "b"], vec![("c", Some(4))]));
    assert_eq!((dirt.count(DirtKind::ShownFromImpressions), dirt.count(DirtKind::PositionBaseZero)), (1, 4));
    assert_eq!(dirt.count(DirtKind::ClickWithoutImpression), 1);
}

#[test]
fn a_log_with_both_bases_is_decided_session_by_session() {
    let queries = [query("one", &["a", "b"]), query("zero", &["a", "b"]), query("none", &[]), query("own", &[])];
    let events = [
        event("one", "click", "b", 2),
        event("one", "click", "z", 0),
        event("one", "click", "a", 1),
        event("zero", "click", "b", 1),
        event("zero", "click", "z", 5),
        event("none", "click", "y", 7),
        event("own", "click", "y", 0),
        event("own", "click", "x", 3),
    ];
    let (sessions, dirt) = read(&queries, &events);
    let sessions = sessions.expect("sessions");
    assert_eq!(positions(&sessions[0]), [("b", Some(2)), ("z", None), ("a", Some(1))]);
    assert_eq!(positions(&sessions[1]), [("b", Some(2)), ("z", Some(6))]);
    assert_eq!(positions(&sessions[2]), [("y", Some(7))]);
    assert_eq!(positions(&sessions[3]), [("y", Some(1)), ("x", Some(4))]);
    for (kind, count) in [
        (DirtKind::PositionBaseMixed, 4),
        (DirtKind::PositionBaseAssumed, 1),
        (DirtKind::PositionInvalid, 1),
        (DirtKind::PositionBaseZero, 4),
        (DirtKind::ClickPositionOneBased, 2),
        (DirtKind::ClickPositionZeroBased, 1),
    ] {
        assert_eq!(dirt.count(kind), count, "{kind}");
    }
}

#[test]
fn positions_that_fit_nothing_are_kept_or_left_out_and_counted() {
    let mut text = event("q1", "click", "a", 1);
    text["event_attributes"]["position"]["ordinal"] = json!("first");
    let events = [event("q1", "click", "a", 9), text, event("q1", "click", "b", -2)];
    let (sessions, dirt) = read(&[query("q1", &["a", "b"])], &events);
    assert_eq!(positions(&sessions.expect("sessions")[0]), [("a", Some(9)), ("a", None), ("b", None)]);
    assert_eq!((dirt.count(DirtKind::PositionContradictsShown), dirt.count(DirtKind::PositionInvalid)), (1, 2));
}

#[test]
fn one_row_of_a_repeated_query_is_kept_whole() {
    let mut other = query("q1", &["a"]);
    other["user_query"] = json!("other");
    let (sessions, dirt) = read(&[query("q1", &[]), query("q2", &[]), other, query("q1", &["b"])], &[]);
    let sessions = sessions.expect("sessions");
    let kept: Vec<_> = sessions.iter().map(|session| (session.session_id.as_str(), session.query.as_deref())).collect();
    assert_eq!(kept, [("q1", Some("other")), ("q2", Some("text q2"))]);
    assert_eq!(shown(&sessions[0]), ["a"]);
    for (kind, count) in
        [(DirtKind::DuplicateQueryId, 2), (DirtKind::DuplicateQueryIdOtherText, 2), (DirtKind::LaterQueryRowKept, 1)]
    {
        assert_eq!(dirt.count(kind), count, "{kind}");
    }
}

#[test]
fn dirty_events_are_counted_and_left_out() {
    let mut no_object = event("q1", "search", "a", 1);
    no_object["event_attributes"] = Value::Null;
    let mut no_action = event("q1", "click", "a", 1);
    no_action["action_name"] = Value::Null;
    let mut no_query = event("", "click", "a", 1);
    no_query["query_id"] = json!("");
    let mut bad_time = event("q1", "click", "a", 1);
    bad_time["timestamp"] = json!("yesterday");
    let mut no_zone = event("q1", "impression", "a", 1);
    no_zone["timestamp"] = json!("2025-01-01T00:00:01");
    let mut contradiction = event("q1", "click", "a", 1);
    contradiction["message_type"] = json!("IMPRESSION");
    let events = [no_object, no_action, no_query, bad_time, no_zone, contradiction, event("gone", "click", "a", 1)];
    let mut anonymous = query("", &[]);
    anonymous["user_query"] = json!("");
    let (sessions, dirt) = read(&[query("q1", &["a"]), anonymous], &events);
    let acts = &sessions.expect("sessions")[0].interactions;
    assert_eq!(acts.iter().map(|act| act.timestamp.is_some()).collect::<Vec<_>>(), [false, true, true]);
    assert_eq!(acts[1].timestamp, acts[2].timestamp);
    for (kind, count) in [
        (DirtKind::EventWithoutObject, 1),
        (DirtKind::EventWithoutAction, 1),
        (DirtKind::EventWithoutQuery, 2),
        (DirtKind::UnparsableTimestamp, 1),
        (DirtKind::TimestampWithoutZone, 1),
        (DirtKind::MessageTypeContradictsAction, 1),
        (DirtKind::ClickWithoutImpression, 1),
        (DirtKind::QueryWithoutId, 1),
    ] {
        assert_eq!(dirt.count(kind), count, "{kind}");
    }
}

#[test]
fn applications_are_never_mixed() {
    let fixture = Fixture::new();
    let mut other = event("q1", "click", "a", 1);
    other["application"] = json!("demo");
    let queries = fixture.write("queries", lines(&[query("q1", &["a"])]));
    let events = fixture.write("events", lines(&[other, event("q1", "click", "a", 1)]));
    let message = |application| read_all(&ubi(&queries, &events, application)).0.expect_err("an error").to_string();
    assert!(message(None).contains("several applications (`demo`, `shop`)"));
    assert!(message(None).contains("choose one with `application`"));
    assert!(message(Some("shp")).contains("no row has the application `shp`; applications found: `demo`, `shop`"));
    let (sessions, dirt) = read_all(&ubi(&queries, &events, Some("shop")));
    assert_eq!(sessions.expect("sessions")[0].interactions.len(), 1);
    assert_eq!(dirt.count(DirtKind::OtherApplication), 1);
}

#[test]
fn bulk_lines_and_hits_are_unwrapped_and_bad_lines_named() {
    let fixture = Fixture::new();
    let wrapped = json!({"_index": "ubi_queries", "_id": "1", "_source": query("q1", &["a"])});
    let bulk = [json!({"index": {"_index": "ubi_queries"}}), query("q2", &[]), wrapped];
    let queries = fixture.write("queries", lines(&bulk));
    let events = fixture.write("events", "");
    let (sessions, dirt) = read_all(&ubi(&queries, &events, None));
    assert_eq!(sessions.expect("sessions").len(), 2);
    assert_eq!(dirt.count(DirtKind::BulkActionLine), 1);
    for (content, part) in
        [("{}\n{\"a\":", "row 2: not JSON"), ("[]\n", "row 1: a JSON array"), ("\0", "row 1: not JSON")]
    {
        let events = fixture.write("events", content);
        let message = read_all(&ubi(&queries, &events, None)).0.expect_err("an error").to_string();
        assert!(message.contains("events`, ") && message.contains(part), "{message}");
    }
}

fn texts(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn structure(name: &str, array: ArrayRef) -> ArrayRef {
    let field = Field::new(name, array.data_type().clone(), true);
    Arc::new(StructArray::try_new(vec![field].into(), vec![array], None).expect("structs"))
}

#[test]
fn parquet_with_nested_or_dotted_names_is_read_like_json() {
    let fixture = Fixture::new();
    let hits = StringArray::from(vec!["a", "b"]);
    let item = Arc::new(Field::new("item", datafusion::arrow::datatypes::DataType::Utf8, true));
    let hits = ListArray::try_new(item, OffsetBuffer::from_lengths([2]), Arc::new(hits), None).expect("a list");
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("query_id", texts(&[Some("q1")])),
        ("client_id", texts(&[Some("c")])),
        ("user_query", texts(&[Some("kettle")])),
        ("query_attributes", texts(&[Some("{\"tab\":1}")])),
        ("query_response_hit_ids", Arc::new(hits)),
        ("timestamp", Arc::new(TimestampMillisecondArray::from(vec![1_735_689_600_000]).with_timezone("UTC"))),
    ];
    let queries = fixture.table("queries.parquet", &RecordBatch::try_from_iter(columns).expect("a batch"));
    let ordinal: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let flat: Vec<(&str, ArrayRef)> = vec![
        ("event_attributes.object.object_id", texts(&[Some("b")])),
        ("event_attributes.position.ordinal", ordinal.clone()),
    ];
    let inner = vec![
        (
            Field::new("object", structure("object_id", texts(&[Some("b")])).data_type().clone(), true),
            structure("object_id", texts(&[Some("b")])),
        ),
        (
            Field::new("position", structure("ordinal", ordinal.clone()).data_type().clone(), true),
            structure("ordinal", ordinal),
        ),
    ];
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = inner.into_iter().unzip();
    let attributes: ArrayRef = Arc::new(StructArray::try_new(fields.into(), arrays, None).expect("structs"));
    for attributes in [flat, vec![("event_attributes", attributes)]] {
        let mut columns = vec![("query_id", texts(&[Some("q1")])), ("action_name", texts(&[Some("click")]))];
        columns.extend(attributes);
        let events = fixture.table("events.parquet", &RecordBatch::try_from_iter(columns).expect("a batch"));
        let (sessions, dirt) = read_all(&ubi(&queries, &events, None));
        let sessions = sessions.expect("sessions");
        assert_eq!(
            (sessions[0].timestamp, sessions[0].inputs.as_deref()),
            (Some(1_735_689_600_000), Some("{\"tab\":1}"))
        );
        assert_eq!((shown(&sessions[0]), positions(&sessions[0])), (vec!["a", "b"], vec![("b", Some(2))]));
        assert_eq!(dirt.count(DirtKind::ClickPositionZeroBased), 1);
    }
}

fn esci(application: Option<&str>) -> Option<(Result<Vec<Session>, LoadError>, Dirt)> {
    let queries = shared("esci-ubi/ubi_queries.jsonl.gz")?;
    let events = shared("esci-ubi/ubi_events.jsonl.gz")?;
    Some(read_all(&ubi(&queries, &events, application)))
}

fn acts(sessions: &[Session], kind: &str) -> u64 {
    sessions.iter().flat_map(|session| &session.interactions).filter(|act| act.kind == kind).count() as u64
}

#[test]
fn the_three_logs_of_esci_must_be_told_apart() {
    let Some((sessions, _)) = esci(None) else { return };
    let message = sessions.expect_err("an error").to_string();
    assert!(message.contains("`Chorus`, `esci_ubi_sample`, `ubi-demo`"), "{message}");
    let Some((sessions, _)) = esci(Some("ubi-demo")) else { return };
    assert_eq!(sessions.expect("sessions").len(), 0);
}

#[test]
fn the_simulated_log_of_esci_is_zero_based() {
    let Some((sessions, dirt)) = esci(Some("esci_ubi_sample")) else { return };
    let sessions = sessions.expect("sessions");
    assert_eq!(sessions.len(), 200);
    // 1,047 impressions and 101 clicks are logged; 16 and 4 of them have no query row.
    assert_eq!((acts(&sessions, "impression"), acts(&sessions, "click")), (1031, 97));
    assert_eq!(dirt.count(DirtKind::EventWithoutQuery), 20);
    assert_eq!(dirt.count(DirtKind::PositionBaseZero), 1128);
    assert_eq!(dirt.count(DirtKind::PositionBaseMixed), 0);
    let lowest = sessions.iter().flat_map(|session| &session.interactions).filter_map(|act| act.position).min();
    assert_eq!(lowest, Some(1));
    assert_eq!(dirt.count(DirtKind::OtherApplication), 273 + 1978 + 429);
}

#[test]
fn the_recorded_log_of_esci_has_the_dirt_that_its_catalogue_lists() {
    let Some((sessions, dirt)) = esci(Some("Chorus")) else { return };
    let sessions = sessions.expect("sessions");
    // 273 query rows have 84 ids; 67 impressions, 20 clicks and 20 carts of the log have no query row.
    assert_eq!((sessions.len(), dirt.count(DirtKind::DuplicateQueryId)), (84, 189));
    assert_eq!(acts(&sessions, "impression"), 1004 - 67);
    assert_eq!((acts(&sessions, "click"), acts(&sessions, "add_to_cart")), (241 - 20, 227 - 20));
    for (kind, count) in [
        (DirtKind::EventWithoutObject, 506),
        (DirtKind::ClickWithoutImpression, 41),
        (DirtKind::MessageTypeContradictsAction, 14),
        (DirtKind::EventWithoutQuery, 517),
        (DirtKind::LaterQueryRowKept, 65),
        (DirtKind::ClickPositionOneBased, 143),
        (DirtKind::ClickPositionZeroBased, 61),
        (DirtKind::PositionContradictsShown, 1),
        (DirtKind::ItemNotShown, 72 + 17 + 12),
    ] {
        assert_eq!(dirt.count(kind), count, "{kind}");
    }
    assert!(sessions.iter().flat_map(|session| &session.interactions).all(|act| act.position != Some(0)));
}

#[test]
fn the_catalogued_bases_are_found_when_the_last_row_of_an_id_is_the_only_one() {
    let (Some(queries), Some(events)) =
        (shared("esci-ubi/ubi_queries.jsonl.gz"), shared("esci-ubi/ubi_events.jsonl.gz"))
    else {
        return;
    };
    // The catalogue joined clicks to the last row of each repeated `query_id`.
    let mut last: Vec<(String, Value)> = Vec::new();
    let mut records = super::Records::open(&queries).expect("records");
    while let Some((_, record)) = records.next_record(&mut Dirt::default()).expect("a record") {
        let id = super::plain_text(&record, "query_id").expect("an id");
        last.retain(|(known, _)| *known != id);
        last.push((id, record));
    }
    let rows: Vec<Value> = last.into_iter().map(|(_, record)| record).collect();
    let fixture = Fixture::new();
    let queries = fixture.write("queries.jsonl", lines(&rows));
    let (sessions, dirt) = read_all(&ubi(&queries, &events, Some("Chorus")));
    assert!(sessions.is_ok());
    assert_eq!(dirt.count(DirtKind::ClickPositionOneBased), 30);
    assert_eq!(dirt.count(DirtKind::ClickPositionZeroBased), 13);
}

#[test]
fn a_decimal_that_cannot_be_written_is_an_error_and_not_a_panic() {
    let fixture = Fixture::new();
    let ids: ArrayRef = Arc::new(StringArray::from(vec!["q1"]));
    // No writer makes such a type, but a changed byte of a schema does.
    let more_behind_the_point_than_there_are = Decimal128Array::from(vec![12_345_678_901_i128]);
    let impossible: ArrayRef =
        Arc::new(more_behind_the_point_than_there_are.with_data_type(DataType::Decimal128(2, 10)));
    let batch = RecordBatch::try_from_iter([("query_id", ids), ("price", impossible)]).expect("a batch");
    let queries = fixture.write("queries.arrow", arrow_file(&batch));
    let events = fixture.write("events.jsonl", lines(&[event("q1", "click", "a", 1)]));
    let error = read_all(&ubi(&queries, &events, None)).0.expect_err("an error");
    assert!(matches!(error, LoadError::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("queries.arrow"), "{error}");
}

#[test]
fn a_log_beyond_the_limit_is_read_in_shares_to_the_same_sessions_and_dirt() {
    let fixture = Fixture::new();
    let query = |number: usize| {
        let served = if number.is_multiple_of(3) { r#","query_response_hit_ids":["a","b","c"]"# } else { "" };
        format!("{{\"query_id\":\"q{number}\",\"user_query\":\"tea {number}\",\"application\":\"shop\"{served}}}\n")
    };
    // Positions count from 0, which only those queries show that list what was served.
    let event = |number: usize| {
        let (query, item, ordinal) = (number * 31 % 2100, ["a", "b", "c"][number % 3], number % 3);
        format!(
            "{{\"query_id\":\"q{query}\",\"action_name\":\"click\",\"application\":\"shop\",\"event_attributes\":\
             {{\"object\":{{\"object_id\":\"{item}\"}},\"position\":{{\"ordinal\":{ordinal}}}}}}}\n"
        )
    };
    let without_id =
        "\n{\"user_query\":\"lost\",\"application\":\"shop\"}\n{\"query_id\":\"q1\",\"application\":\"blog\"}\n";
    let queries = fixture.write("queries.ndjson", (0..2000).map(query).collect::<String>() + without_id);
    let lost_event = "{\"action_name\":\"click\",\"application\":\"shop\"}\n";
    let events = fixture.write("events.ndjson", (0..6000).map(event).collect::<String>() + lost_event);
    let text = |path: &std::path::Path| path.display().to_string();
    let application = Some("shop".to_owned());
    let path = SessionsPath::Ubi(UbiSpec { queries: text(&queries), events: text(&events), application });
    let read = |memory| {
        let mut reader = crate::load::SessionReader::open_within(&path, None, memory).expect("a reader");
        let mut sessions: Vec<_> = reader.by_ref().map(|session| session.expect("a session")).collect();
        sessions.sort_by(|one, other| one.session_id.cmp(&other.session_id));
        (sessions, reader.dirt().clone())
    };
    let whole = read(64 << 20);
    assert_eq!(whole.0.len(), 2000);
    for kind in [DirtKind::QueryWithoutId, DirtKind::OtherApplication, DirtKind::BlankLine, DirtKind::EventWithoutQuery]
    {
        assert!(whole.1.count(kind) > 0, "{kind}");
    }
    for memory in [1 << 20, 200 << 10] {
        let (sessions, dirt) = read(memory);
        assert_eq!(dirt, whole.1, "{memory} bytes");
        assert!(sessions == whole.0, "{memory} bytes");
    }
}
