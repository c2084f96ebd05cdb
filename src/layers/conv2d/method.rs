//! All ways to record a convolution or one of its gradients, and what they cost.

use super::algorithm::{Algorithm, Work};
use super::depthwise::Depthwise;
use super::winograd::Winograd;
use crate::layers::processor::of_cpu_kernel;
use crate::plan::{Candidate, Kernels, Offer, Shader};

/// A way to compute a convolution or one of its gradients.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Method {
    /// One kernel over the windows.
    Windows(Algorithm),
    /// Transforms, products, and a transform back.
    Winograd(Winograd),
    /// Each channel on its own.
    Depthwise(Depthwise),
}

impl Method {
    /// Those that have the shape for it; the last one copes with every shape.
    pub(super) fn offers(work: Work, kernels: &Kernels) -> Vec<Offer<Self>> {
        let limits = kernels.limits();
        let winograd = Winograd::of(limits, work.options, work.x, work.y)
            .into_iter()
            .map(|winograd| {
                let multiplications = winograd.cost(work.x, work.y) as f64;
                let cost = of_cpu_kernel(limits, multiplications, work.plain_cycles());
                Offer::new(Self::Winograd(winograd), cost)
            });
        let windows = work.algorithms(kernels).into_iter();
        let windows = windows.map(|offer| Offer::new(Self::Windows(offer.candidate), offer.cost));
        let depthwise = Depthwise::of(work)
            .into_iter()
            .map(|depthwise| Offer::new(Self::Depthwise(depthwise), depthwise.cost(limits, work)));
        winograd.chain(depthwise).chain(windows).collect()
    }
}

impl Candidate for Method {
    fn name(&self) -> String {
        match self {
            Self::Windows(algorithm) => algorithm.name(),
            Self::Winograd(winograd) => winograd.name(),
            Self::Depthwise(depthwise) => depthwise.name().to_owned(),
        }
    }

    fn shaders(&self) -> Vec<&'static Shader> {
        match self {
            Self::Windows(algorithm) => algorithm.shaders(),
            Self::Winograd(_) => Winograd::shaders(),
            Self::Depthwise(depthwise) => vec![depthwise.shader()],
        }
    }

    fn amplification(&self) -> f64 {
        match self {
            Self::Windows(algorithm) => algorithm.amplification(),
            Self::Winograd(winograd) => winograd.amplification(),
            Self::Depthwise(_) => 1.0,
        }
    }
}
