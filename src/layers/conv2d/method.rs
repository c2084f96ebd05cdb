//! All ways to record a convolution or one of its gradients, the usually fastest first and the reference last.

use super::Conv2dOptions;
use super::algorithm::{Algorithm, Purpose};
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
        purpose: Purpose,
        windows: Vec<Algorithm>,
        kernels: &Kernels,
        options: &Conv2dOptions,
        x: [u32; 4],
        y: [u32; 4],
    ) -> Vec<Self> {
        let windows_cost = windows_cost(purpose, options, x, y);
        let winograd = Winograd::candidates(kernels.class(), options, x, y);
        let (faster, slower): (Vec<_>, Vec<_>) = winograd
            .into_iter()
            .partition(|winograd| winograd.cost(x, y) < windows_cost);
        let mut methods: Vec<Self> = windows.into_iter().map(Self::Windows).collect();
        let reference = methods.len() - 1;
        methods.splice(reference..reference, slower.into_iter().map(Self::Winograd));
        methods.splice(0..0, faster.into_iter().map(Self::Winograd));
        methods
    }
}

/// What a product over the windows takes, in multiplications of Winograd's products: that for the weight reads both its
/// factors through windows, and takes twice as long.
fn windows_cost(purpose: Purpose, options: &Conv2dOptions, x: [u32; 4], y: [u32; 4]) -> u64 {
    let pixels: u64 = y[..3].iter().map(|&size| u64::from(size)).product();
    let [height, width] = options.kernel_size.map(u64::from);
    let products = pixels * height * width * u64::from(x[3]) * u64::from(y[3]);
    match purpose {
        Purpose::Forward | Purpose::BackwardInput => products,
        Purpose::BackwardWeight => 2 * products,
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
