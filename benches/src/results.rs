//! What a run has measured, as it is written to JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::stats::median;

/// The measured values: by figure, then by peer.
pub(crate) type Figures = BTreeMap<String, BTreeMap<String, f64>>;

#[derive(Deserialize, Serialize, Default)]
pub(crate) struct Results {
    /// The date of the run, in UTC.
    pub(crate) date: String,
    /// Whether the run was too short to be meaningful.
    pub(crate) quick: bool,
    pub(crate) machine: Vec<(String, String)>,
    pub(crate) versions: Vec<(String, String)>,
    /// Why peers are missing.
    pub(crate) missing: BTreeMap<String, String>,
    pub(crate) figures: Figures,
}

/// Samples of several rounds.
#[derive(Default)]
pub(crate) struct Samples(BTreeMap<(String, String), Vec<f64>>);

impl Samples {
    pub(crate) fn add(&mut self, figure: &str, peer: &str, value: f64) {
        let key = (figure.to_owned(), peer.to_owned());
        self.0.entry(key).or_default().push(value);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str, &[f64])> {
        let samples = self.0.iter();
        samples.map(|((figure, peer), values)| (figure.as_str(), peer.as_str(), values.as_slice()))
    }

    /// Adds the median of each figure.
    pub(crate) fn add_medians(&self, figures: &mut Figures) {
        for (figure, peer, values) in self.iter() {
            set(figures, figure, peer, median(values));
        }
    }
}

pub(crate) fn set(figures: &mut Figures, figure: &str, peer: &str, value: f64) {
    let peers = figures.entry(figure.to_owned()).or_default();
    peers.insert(peer.to_owned(), value);
}

pub(crate) fn get(figures: &Figures, figure: &str, peer: &str) -> Option<f64> {
    figures.get(figure)?.get(peer).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_each_figure_and_peer_is_added() {
        let mut samples = Samples::default();
        for value in [3.0, 1.0, 2.0] {
            samples.add("start", "a", value);
        }
        samples.add("start", "b", 9.0);
        let mut figures = Figures::new();
        samples.add_medians(&mut figures);
        assert_eq!(get(&figures, "start", "a"), Some(2.0));
        assert_eq!(get(&figures, "start", "b"), Some(9.0));
        assert_eq!(get(&figures, "start", "c"), None);
    }
}
