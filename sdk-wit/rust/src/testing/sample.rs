//! Sample sessions, written down.

/// Weights of interaction kinds in sessions without grades, as Rematch has them by default.
const WEIGHTS: [(&str, f64); 15] = [
    ("impression", 0.0),
    ("view", 0.0),
    ("skip", 0.0),
    ("negative_feedback", 0.0),
    ("return_to_results", 0.0),
    ("click", 1.0),
    ("dwell", 1.0),
    ("long_view", 1.0),
    ("play", 1.0),
    ("bookmark", 1.5),
    ("wishlist", 1.5),
    ("share", 1.5),
    ("save", 1.5),
    ("add_to_cart", 2.0),
    ("purchase", 5.0),
];

/// Weight of a kind that is not listed.
const OTHER_KIND_WEIGHT: f64 = 1.0;

/// Something that a user did.
#[derive(Debug, Clone, PartialEq)]
pub struct Act {
    pub(super) kind: String,
    pub(super) item: String,
    pub(super) position: Option<u32>,
    pub(super) time: Option<i64>,
    pub(super) value: Option<f64>,
}

impl Act {
    /// Returns an act of that kind (`click`, `purchase`, ...) on an item.
    #[must_use]
    pub fn new(kind: &str, item: &str) -> Self {
        Self { kind: kind.to_owned(), item: item.to_owned(), position: None, time: None, value: None }
    }

    /// Sets the 1-based position at which the item was shown.
    #[must_use]
    pub fn position(mut self, position: u32) -> Self {
        self.position = Some(position);
        self
    }

    /// Sets when it was done, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn time(mut self, time: i64) -> Self {
        self.time = Some(time);
        self
    }

    /// Sets the number that goes with the kind, such as the price of a purchase.
    #[must_use]
    pub fn value(mut self, value: f64) -> Self {
        self.value = Some(value);
        self
    }
}

/// A session with one ranking, for tests. All parts but the id are optional.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sample {
    pub(super) id: String,
    pub(super) query: String,
    pub(super) query_vector: Vec<f32>,
    pub(super) inputs: String,
    pub(super) expected: String,
    pub(super) time: Option<i64>,
    pub(super) taxonomy: Vec<String>,
    pub(super) hits: Vec<(String, Option<f64>)>,
    pub(super) shown: Vec<(String, Option<f64>, Option<f64>)>,
    pub(super) acts: Vec<Act>,
    grades: Vec<(String, f64)>,
}

impl Sample {
    /// Returns a session of that id in which nothing was returned and nothing done.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self { id: id.to_owned(), ..Self::default() }
    }

    /// Sets the query.
    #[must_use]
    pub fn query(mut self, query: &str) -> Self {
        query.clone_into(&mut self.query);
        self
    }

    /// Sets the query vector.
    #[must_use]
    pub fn query_vector(mut self, vector: impl Into<Vec<f32>>) -> Self {
        self.query_vector = vector.into();
        self
    }

    /// Sets further inputs, as JSON text.
    #[must_use]
    pub fn inputs(mut self, json: &str) -> Self {
        json.clone_into(&mut self.inputs);
        self
    }

    /// Sets the labelled outcome, as JSON text.
    #[must_use]
    pub fn expected(mut self, json: &str) -> Self {
        json.clone_into(&mut self.expected);
        self
    }

    /// Sets when the session took place, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn time(mut self, time: i64) -> Self {
        self.time = Some(time);
        self
    }

    /// Adds a taxonomy path.
    #[must_use]
    pub fn taxonomy(mut self, path: &str) -> Self {
        self.taxonomy.push(path.to_owned());
        self
    }

    /// Adds hits without scores to the ranking, best first.
    #[must_use]
    pub fn hits<'a>(mut self, items: impl IntoIterator<Item = &'a str>) -> Self {
        self.hits.extend(items.into_iter().map(|item| (item.to_owned(), None)));
        self
    }

    /// Adds a hit with its score to the ranking.
    #[must_use]
    pub fn hit(mut self, item: &str, score: f64) -> Self {
        self.hits.push((item.to_owned(), Some(score)));
        self
    }

    /// Adds an item to the list that the user saw, with the logged score and the propensity where they are known.
    #[must_use]
    pub fn shown(mut self, item: &str, score: Option<f64>, propensity: Option<f64>) -> Self {
        self.shown.push((item.to_owned(), score, propensity));
        self
    }

    /// Sets a judge's grade. A session without any grade is graded by what the user did, with Rematch's default weights.
    #[must_use]
    pub fn grade(mut self, item: &str, grade: f64) -> Self {
        self.grades.push((item.to_owned(), grade));
        self
    }

    /// Adds something that the user did.
    #[must_use]
    pub fn act(self, kind: &str, item: &str) -> Self {
        self.interaction(Act::new(kind, item))
    }

    /// Adds something that the user did, with its details.
    #[must_use]
    pub fn interaction(mut self, act: Act) -> Self {
        self.acts.push(act);
        self
    }

    /// Returns every item of known worth with its grade, in order of the items' texts. The last grade of an item counts.
    pub(super) fn relevance(&self) -> Vec<(&str, f64)> {
        let mut grades = std::collections::BTreeMap::new();
        for (item, grade) in &self.grades {
            grades.insert(item.as_str(), *grade);
        }
        if self.grades.is_empty() {
            for act in &self.acts {
                let grade = grades.entry(act.item.as_str()).or_insert(0.0);
                *grade = f64::max(*grade, weight(&act.kind));
            }
        }
        grades.into_iter().collect()
    }
}

fn weight(kind: &str) -> f64 {
    WEIGHTS.iter().find(|(name, _)| *name == kind).map_or(OTHER_KIND_WEIGHT, |(_, weight)| *weight)
}
