//! All ways to record a convolution or one of its gradients, the usually fastest first and the reference last.

use super::Conv2dOptions;
use super::algorithm::Algorithm;
use super::winograd::Winograd;
use crate::plan::{Candidate, Kernels, Shader};

/// A way to compute a convolution or one of its gradients.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Method {
    /// One kernel over the windows.
    Windows(Algorithm),
    /// Transforms, products, and a transform back.
    Winograd(Winograd),
}

impl Method {
    /// Those that fit, where `windows` are the kernels over the windows that do.
    pub(super) fn candidates(
        windows: Vec<Algorithm>,
        kernels: &Kernels,
        options: &Conv2dOptions,
        x: [u32; 4],
        y: [u32; 4],
    ) -> Vec<Self> {
        let mut methods: Vec<Self> = windows.into_iter().map(Self::Windows).collect();
        let place = if Winograd::pays(x, y) {
            0
        } else {
            methods.len() - 1
        };
        let winograd = Winograd::candidates(kernels.class(), options, x, y);
        methods.splice(place..place, winograd.into_iter().map(Self::Winograd));
        methods
    }
}

impl Candidate for Method {
    fn name(&self) -> String {
        match self {
            Self::Windows(algorithm) => algorithm.name(),
            Self::Winograd(winograd) => winograd.name(),
        }
    }

    fn shaders(&self) -> Vec<&'static Shader> {
        match self {
            Self::Windows(algorithm) => algorithm.shaders(),
            Self::Winograd(_) => Winograd::shaders(),
        }
    }

    fn amplification(&self) -> f64 {
        match self {
            Self::Windows(algorithm) => algorithm.amplification(),
            Self::Winograd(winograd) => winograd.amplification(),
        }
    }
}
