//! Points on the globe, and places in which they lie.

use serde_json::{Map, Value};

use super::condition::{Operator, Test, wrong};
use crate::platform::error::ApiError;

/// The mean radius of the Earth (IUGG), metres.
const EARTH_RADIUS_METRES: f64 = 6_371_008.8;

/// A point, degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    latitude: f64,
    longitude: f64,
}

/// Where a point may lie; edges belong to it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Place {
    /// Within so many metres of a point, on the sphere.
    Radius(Point, f64),
    /// Between two corners, the north-western one first; where its longitude is the larger one, across the 180th meridian.
    Box(Point, Point),
    /// Within a ring and in none of the holes; straight lines are those of a map by longitude and latitude.
    Polygon(Vec<Point>, Vec<Vec<Point>>),
}

impl Point {
    /// Returns the point that a value is: `{"lat", "lon"}`, `[lon, lat]`, a GeoJSON point, or the text `lat,lon`.
    #[must_use]
    pub(super) fn of(value: &Value) -> Option<Self> {
        let (latitude, longitude) = match value {
            Value::Object(members) => match members.get("coordinates") {
                Some(coordinates) => return Self::of(coordinates),
                None => (named(members, &["lat", "latitude"])?, named(members, &["lon", "lng", "longitude"])?),
            },
            Value::Array(pair) => match pair.as_slice() {
                [longitude, latitude] => (latitude.as_f64()?, longitude.as_f64()?),
                _ => return None,
            },
            Value::String(text) => {
                let (latitude, longitude) = text.split_once(',')?;
                (latitude.trim().parse().ok()?, longitude.trim().parse().ok()?)
            }
            _ => return None,
        };
        let is_there = (-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude);
        is_there.then_some(Self { latitude, longitude })
    }

    /// Returns the points that a field holds: one, or a list of them.
    pub(super) fn all_of(value: &Value) -> Vec<Self> {
        match (Self::of(value), value) {
            (Some(point), _) => vec![point],
            (None, Value::Array(points)) => points.iter().filter_map(Self::of).collect(),
            (None, _) => Vec::new(),
        }
    }

    /// Returns the length of the way to another point along a great circle, metres, by the haversine formula.
    fn distance_metres(self, other: Self) -> f64 {
        let (one, two) = (self.latitude.to_radians(), other.latitude.to_radians());
        let half = |difference: f64| (difference / 2.0).sin().powi(2);
        let across = half((other.longitude - self.longitude).to_radians());
        let haversine = half(two - one) + one.cos() * two.cos() * across;
        2.0 * EARTH_RADIUS_METRES * haversine.clamp(0.0, 1.0).sqrt().asin()
    }
}

fn named(members: &Map<String, Value>, names: &[&str]) -> Option<f64> {
    names.iter().find_map(|name| members.get(*name)?.as_f64())
}

impl Place {
    /// Returns the place that a test speaks of: `{"center": POINT, "radius": METRES}`, `{"top_left": POINT, "bottom_right":
    /// POINT}`, or `{"exterior": {"points": [POINT]}, "interiors": [{"points": [POINT]}]}`.
    ///
    /// # Errors
    ///
    /// Returns 422 for what is no such place.
    pub(super) fn of(test: &Test) -> Result<Self, ApiError> {
        let (expected, keys): (&str, &[&str]) = match test.operator {
            Operator::GeoRadius => ("`{\"center\": {\"lat\", \"lon\"}, \"radius\": METRES}`", &["center", "radius"]),
            Operator::GeoBoundingBox => (
                "`{\"top_left\": {\"lat\", \"lon\"}, \"bottom_right\": {\"lat\", \"lon\"}}`",
                &["top_left", "bottom_right"],
            ),
            _ => (
                "`{\"exterior\": {\"points\": [{\"lat\", \"lon\"}]}, \"interiors\": [...]}` with three points at least",
                &["exterior", "interiors"],
            ),
        };
        let place = test.value.as_object().filter(|members| members.keys().all(|key| keys.contains(&key.as_str())));
        let place = place.and_then(|members| Self::read(test.operator, members));
        place.ok_or_else(|| {
            let operator = test.operator.name();
            wrong(format!("the value for `{}` is not what `{operator}` needs; expected {expected}", test.field))
        })
    }

    fn read(operator: Operator, members: &Map<String, Value>) -> Option<Self> {
        let point = |key: &str| Point::of(members.get(key)?);
        match operator {
            Operator::GeoRadius => {
                let metres = members.get("radius")?.as_f64().filter(|metres| *metres >= 0.0)?;
                Some(Self::Radius(point("center")?, metres))
            }
            Operator::GeoBoundingBox => {
                let (first, last) = (point("top_left")?, point("bottom_right")?);
                (first.latitude >= last.latitude).then_some(Self::Box(first, last))
            }
            _ => {
                let holes = match members.get("interiors") {
                    None | Some(Value::Null) => Vec::new(),
                    Some(holes) => holes.as_array()?.iter().map(ring).collect::<Option<_>>()?,
                };
                Some(Self::Polygon(ring(members.get("exterior")?)?, holes))
            }
        }
    }

    /// Returns whether a point lies there.
    #[must_use]
    pub(super) fn has(&self, point: Point) -> bool {
        match self {
            Self::Radius(center, metres) => center.distance_metres(point) <= *metres,
            Self::Box(first, last) => {
                let (west, east) = (first.longitude, last.longitude);
                let is_between = (west..=east).contains(&point.longitude);
                let is_across = west > east && (point.longitude >= west || point.longitude <= east);
                (last.latitude..=first.latitude).contains(&point.latitude) && (is_between || is_across)
            }
            Self::Polygon(ring, holes) => {
                let is_in_a_hole = |hole: &Vec<Point>| !on_edge(hole, point) && encloses(hole, point);
                (on_edge(ring, point) || encloses(ring, point)) && !holes.iter().any(is_in_a_hole)
            }
        }
    }
}

fn ring(value: &Value) -> Option<Vec<Point>> {
    let points = value.get("points").unwrap_or(value).as_array()?;
    let points: Vec<Point> = points.iter().map(Point::of).collect::<Option<_>>()?;
    (points.len() >= 3).then_some(points)
}

fn edges(ring: &[Point]) -> impl Iterator<Item = (Point, Point)> + '_ {
    ring.iter().copied().zip(ring.iter().copied().cycle().skip(1))
}

/// Returns on which side of a line a point lies; 0 on the line.
fn side((from, to): (Point, Point), point: Point) -> f64 {
    (to.longitude - from.longitude) * (point.latitude - from.latitude)
        - (point.longitude - from.longitude) * (to.latitude - from.latitude)
}

fn on_edge(ring: &[Point], point: Point) -> bool {
    let within = |one: f64, two: f64, value: f64| one.min(two) <= value && value <= one.max(two);
    edges(ring).any(|(from, to)| {
        side((from, to), point) == 0.0
            && within(from.longitude, to.longitude, point.longitude)
            && within(from.latitude, to.latitude, point.latitude)
    })
}

/// Returns whether a ring goes around a point: whether a ray from it crosses the ring an odd number of times.
fn encloses(ring: &[Point], point: Point) -> bool {
    let crossings = edges(ring).filter(|(from, to)| {
        let spans = (from.latitude > point.latitude) != (to.latitude > point.latitude);
        spans && (side((*from, *to), point) > 0.0) == (to.latitude > from.latitude)
    });
    crossings.count() % 2 == 1
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn place(operator: Operator, value: Value) -> Result<Place, String> {
        Place::of(&Test { field: "at".to_owned(), operator, value }).map_err(|error| error.message)
    }

    fn point(latitude: f64, longitude: f64) -> Point {
        Point { latitude, longitude }
    }

    #[test]
    fn a_point_may_be_written_in_four_ways_and_must_lie_on_the_globe() {
        let berlin = Some(point(52.5, 13.4));
        let ways = [
            json!({ "lat": 52.5, "lon": 13.4 }),
            json!([13.4, 52.5]),
            json!({ "type": "Point", "coordinates": [13.4, 52.5] }),
            json!("52.5, 13.4"),
        ];
        assert!(ways.iter().all(|way| Point::of(way) == berlin));
        for wrong in [json!([13.4]), json!([13.4, 95]), json!("x,y"), json!({ "lat": 1 }), json!(1), json!("NaN,1")] {
            assert_eq!(Point::of(&wrong), None, "{wrong}");
        }
        assert_eq!(Point::all_of(&json!([[13.4, 52.5], [1, 2]])).len(), 2);
        assert_eq!(Point::all_of(&json!([13.4, 52.5])).len(), 1);
    }

    #[test]
    fn a_radius_is_measured_along_great_circles() {
        let near = |metres: f64| {
            place(Operator::GeoRadius, json!({ "center": { "lat": 52.52, "lon": 13.405 }, "radius": metres })).unwrap()
        };
        // Berlin to Hamburg is about 255 km.
        let hamburg = point(53.5511, 9.9937);
        assert!(near(256_000.0).has(hamburg) && !near(254_000.0).has(hamburg));
        assert!(near(0.0).has(point(52.52, 13.405)));
        let across = place(Operator::GeoRadius, json!({ "center": [179.9, 0], "radius": 30_000 })).unwrap();
        assert!(across.has(point(0.0, -179.9)));
    }

    #[test]
    fn a_box_may_lie_across_the_180th_meridian() {
        let corners = |west: f64, east: f64| {
            let value = json!({ "top_left": [west, 10], "bottom_right": [east, -10] });
            place(Operator::GeoBoundingBox, value).unwrap()
        };
        assert!(corners(-5.0, 5.0).has(point(0.0, 5.0)) && !corners(-5.0, 5.0).has(point(0.0, 170.0)));
        assert!(corners(170.0, -170.0).has(point(0.0, 175.0)) && corners(170.0, -170.0).has(point(0.0, -175.0)));
        assert!(!corners(170.0, -170.0).has(point(0.0, 0.0)) && !corners(-5.0, 5.0).has(point(11.0, 0.0)));
    }

    #[test]
    fn a_polygon_has_its_edges_and_not_its_holes() {
        let square = |from: i32, to: i32| json!({ "points": [[from, from], [to, from], [to, to], [from, to]] });
        let value = json!({ "exterior": square(0, 10), "interiors": [square(4, 6)] });
        let ring = place(Operator::GeoPolygon, value).unwrap();
        let lies = |x: f64, y: f64| ring.has(point(y, x));
        assert!(lies(1.0, 1.0) && lies(0.0, 5.0) && lies(10.0, 10.0) && lies(4.0, 5.0));
        assert!(!lies(5.0, 5.0) && !lies(11.0, 5.0) && !lies(-1.0, 0.0));
    }

    #[test]
    fn what_is_no_place_is_told_with_what_would_be_one() {
        for (operator, value) in [
            (Operator::GeoRadius, json!({ "center": [1, 2] })),
            (Operator::GeoRadius, json!({ "center": [1, 2], "radius": -1 })),
            (Operator::GeoRadius, json!({ "center": [1, 2], "radius": 5, "unit": "km" })),
            (Operator::GeoBoundingBox, json!({ "top_left": [0, -10], "bottom_right": [5, 10] })),
            (Operator::GeoPolygon, json!({ "exterior": { "points": [[0, 0], [1, 1]] } })),
            (Operator::GeoPolygon, json!(7)),
        ] {
            let told = place(operator, value).unwrap_err();
            assert!(told.contains(operator.name()) && told.contains("`at`") && told.contains("expected"), "{told}");
        }
    }
}
