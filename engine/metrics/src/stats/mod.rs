//! Is a difference between two retrievers more than chance, and how large is it?
//!
//! Everything here is paired: a delta is the candidate's value less the baseline's, for the same session. What
//! "significant" means is fixed before any number is seen:
//!
//! - The headline is the mean delta with its interval, then the effect size d_z, then the p of [`paired_t`]; of
//!   [`cluster_robust_t`] as soon as sessions share a user or visit, since repeated users make the plain test cry wolf.
//! - [`Randomisation`] is the check without assumptions, and adjusts for several metrics at once (MaxT);
//!   [`StreamedRandomisation`] makes it of deltas that come in parts, in memory that does not grow with them.
//! - [`bootstrap_interval`] resamples clusters that are all in memory, [`PoissonBootstrap`] those that come in parts.
//! - [`wilcoxon`] and [`sign_test`] answer another question (the median, the sign) and reject a true null about the mean
//!   when deltas are skewed; they are for those who ask for them.
//! - [`ConfidenceSequence`] may be looked at at any time: for stopping as soon as the answer is clear.
//! - [`minimum_detectable_effect`] and [`sessions_to_settle`] say what an inconclusive result could have seen.
//!
//! A test that cannot be made says why ([`Untestable`]); no function returns NaN. Sums are compensated and in the given
//! order, so give rows in a fixed order where equal bits matter.

mod binomial;
mod bisection;
mod bootstrap;
mod cluster_robust;
mod confidence_sequence;
pub(crate) mod counter_random;
mod delta_sums;
mod exact_sign_flip;
mod mcnemar;
mod moments;
mod multiple_testing;
mod noncentral_t;
pub(crate) mod normal;
mod paired_t;
mod poisson_bootstrap;
mod power;
mod quantile;
mod randomisation;
mod sign_counts;
mod sign_test;
mod streamed_randomisation;
mod student_t;
mod untestable;
mod wilcoxon;

pub use bootstrap::{BootstrapInterval, BootstrapMethod, bootstrap_interval, bootstrap_means, resampled_units};
pub use cluster_robust::{
    ClusterResiduals, ClusterRobustT, ClusterSum, cluster_robust_t, cluster_robust_t_of_sums, cluster_sums,
};
pub use confidence_sequence::{ClusterMoments, ConfidenceSequence, Decision, SequenceInterval};
pub use delta_sums::DeltaSums;
pub use exact_sign_flip::{ExactSignFlip, exact_sign_flip};
pub use mcnemar::{McNemar, mcnemar_exact};
pub use moments::Moments;
pub use multiple_testing::{benjamini_hochberg, benjamini_yekutieli, bonferroni, holm};
pub use noncentral_t::{noncentral_t_lower_tail, noncentral_t_upper_tail};
pub use paired_t::{PairedT, TStatistic, paired_t, paired_t_of_moments};
pub use poisson_bootstrap::{PoissonBootstrap, PoissonMeans};
pub use power::{minimum_detectable_effect, power, sessions_to_settle};
pub use quantile::{QuantileMethod, quantile, quantile_of_sorted};
pub use randomisation::{Randomisation, RandomisationCounts};
pub use sign_counts::SignCounts;
pub use sign_test::{SignTest, sign_test};
pub use streamed_randomisation::{Extent, SignBatch, StreamedPValues, StreamedRandomisation};
pub use student_t::{student_t_quantile, student_t_upper_tail};
pub use untestable::Untestable;
pub use wilcoxon::{Wilcoxon, WilcoxonMethod, ZeroRule, wilcoxon};
