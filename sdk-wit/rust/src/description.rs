//! Builders of what a component says of itself.

use crate::{Columns, Description, Metric};

impl Description {
    /// Returns the description of a component that needs no columns and has no metrics yet. It is reusable; see
    /// [`Description::stateful`].
    #[must_use]
    pub fn new(name: &str, version: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            summary: String::new(),
            params_schema: String::new(),
            needs: Columns::empty(),
            metrics: Vec::new(),
            reusable: true,
        }
    }

    /// Says what the component is for, in a sentence or two.
    #[must_use]
    pub fn summary(mut self, summary: &str) -> Self {
        summary.clone_into(&mut self.summary);
        self
    }

    /// Says which columns the scorer reads; the host sends no others.
    #[must_use]
    pub fn needs(mut self, columns: Columns) -> Self {
        self.needs = self.needs | columns;
        self
    }

    /// Adds a metric. The first one is the score, the others are sub-scores.
    #[must_use]
    pub fn metric(mut self, metric: Metric) -> Self {
        self.metrics.push(metric);
        self
    }

    /// Says what the parameters may be: a JSON Schema, as text.
    #[must_use]
    pub fn params_schema(mut self, schema: &str) -> Self {
        schema.clone_into(&mut self.params_schema);
        self
    }

    /// Says that the scorer keeps something between batches, in a `static` for example: the host then makes a fresh
    /// instance for every batch.
    #[must_use]
    pub fn stateful(mut self) -> Self {
        self.reusable = false;
        self
    }
}

impl Metric {
    /// Returns a metric without bounds of which more is better.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), summary: String::new(), higher_is_better: true, low: None, high: None }
    }

    /// Says what the metric means and when it is undefined, in a sentence.
    #[must_use]
    pub fn summary(mut self, summary: &str) -> Self {
        summary.clone_into(&mut self.summary);
        self
    }

    /// Says that less is better.
    #[must_use]
    pub fn lower_is_better(mut self) -> Self {
        self.higher_is_better = false;
        self
    }

    /// Sets the smallest legal value.
    #[must_use]
    pub fn low(mut self, low: f64) -> Self {
        self.low = Some(low);
        self
    }

    /// Sets the largest legal value.
    #[must_use]
    pub fn high(mut self, high: f64) -> Self {
        self.high = Some(high);
        self
    }
}
