//! Every dispatch of the models alone: the shader entry points over the shapes that are really used.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use super::ceilings::Ceilings;
use super::check;
use super::conditions::Conditions;
use super::row::{Row, RowsReport};
use super::subject::{SGD, Subject, plans};
use super::timing;
use crate::error::{Error, Result};
use crate::gpu::{Device, Executable};
use crate::models::{self, ModelOptions, initial_values};
use crate::optim::{Adam, Optimizer};
use crate::plan::{Access, Dispatch, Kernels, OperationPlan, Plan};
use crate::tune::{Agreement, Trial};

/// A model with its batch size.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Workload {
    /// The name of the model.
    pub model: String,
    /// Samples of a step.
    pub batch_size: u32,
}

/// The models and batch sizes of the authors' scripts that together use every operation.
pub const WORKLOADS: [(&str, u32); 8] = [
    ("mnist-cnn-spinal", 64),
    ("mnist-cnn-baseline", 64),
    ("arch2-spinal", 64),
    ("regression-spinal", 100),
    ("vgg5-spinal", 100),
    ("vgg5-baseline", 100),
    ("cifar-resnet18-spinal", 100),
    ("cifar-resnet18-baseline", 100),
];

/// Measures every distinct dispatch of the workloads whose kernel or layer contains `filter`. `other` is the same adapter
/// with the other kind of checks, which must compute the same.
pub fn measure(
    device: &Device,
    other: &Device,
    workloads: &[Workload],
    filter: &str,
    runs: usize,
) -> Result<RowsReport> {
    let mut bench = Bench {
        filter,
        runs,
        ceilings: Ceilings::measure(device)?,
        seen: HashSet::new(),
        operations: HashMap::new(),
        names: HashMap::new(),
        rows: Vec::new(),
    };
    for workload in workloads {
        let model = || models::build(&workload.model, ModelOptions::default());
        let optimizer = optimizer_of(&workload.model);
        let of = |kernels: &Kernels| plans(&model()?, workload.batch_size, &*optimizer, kernels);
        let plans = of(device.kernels())?;
        if plans.iter().any(|plan| bench.wants(plan)) {
            let subject =
                |device| Subject::apart(device, model()?, workload.batch_size, &*optimizer);
            let recorded = Recorded { plans, record: &of };
            bench.add(&subject(device)?, &subject(other)?, &recorded)?;
        }
    }
    if bench.rows.is_empty() {
        return Err(Error::usage(
            format!("no kernel or layer has `{filter}` in its name"),
            "see the names that `spinal plan MODEL` prints",
        ));
    }
    Ok(RowsReport {
        bench: "ops",
        conditions: Conditions::on(device, runs),
        ceilings: bench.ceilings,
        rows: bench.rows,
    })
}

/// The optimiser of the authors' script.
fn optimizer_of(model: &str) -> Box<dyn Optimizer> {
    if model.starts_with("regression") {
        Box::new(Adam::default())
    } else {
        Box::new(SGD)
    }
}

/// What makes a dispatch another one: kernel, constants, grid, and bytes of the bindings.
type Identity = (String, Vec<(&'static str, u64)>, [u32; 3], Vec<u64>);

fn identity(dispatch: &Dispatch) -> Identity {
    let constants = dispatch.constants.iter();
    let bindings = dispatch.bindings.iter();
    (
        dispatch.kernel(),
        constants
            .map(|&(name, value)| (name, value.to_bits()))
            .collect(),
        dispatch.grid,
        bindings.map(|binding| binding.bytes).collect(),
    )
}

/// The training step and the inference of a model as they are recorded.
struct Recorded<'a> {
    plans: [Plan; 2],
    /// Records them with other kernels.
    record: &'a dyn Fn(&Kernels) -> Result<[Plan; 2]>,
}

struct Bench<'a> {
    filter: &'a str,
    runs: usize,
    ceilings: Ceilings,
    seen: HashSet<Identity>,
    /// What became of the operations by their keys.
    operations: HashMap<String, std::result::Result<(), String>>,
    names: HashMap<String, u32>,
    rows: Vec<Row>,
}

impl Bench<'_> {
    fn wants(&self, plan: &Plan) -> bool {
        let mut dispatches = plan.dispatches.iter();
        dispatches.any(|dispatch| self.wants_dispatch(dispatch))
    }

    fn wants_dispatch(&self, dispatch: &Dispatch) -> bool {
        let found = dispatch.kernel().contains(self.filter) || dispatch.layer.contains(self.filter);
        found && !self.seen.contains(&identity(dispatch))
    }

    /// Measures what is new in a model. `other` is the same on the device with the other checks.
    fn add(&mut self, subject: &Subject, other: &Subject, recorded: &Recorded) -> Result<()> {
        // One step and one inference give every buffer the values that it has in training.
        for executable in [&subject.train_step, &subject.inference] {
            executable.submit(subject.device, 1).wait(subject.device)?;
        }
        let plans = [
            (&subject.train, &subject.train_step, &other.train_step),
            (&subject.forward, &subject.inference, &other.inference),
        ];
        for (number, (plan, executable, unlike)) in plans.into_iter().enumerate() {
            for (index, dispatch) in plan.dispatches.iter().enumerate() {
                if self.wants_dispatch(dispatch) {
                    self.seen.insert(identity(dispatch));
                    let part = Part {
                        subject,
                        other,
                        plan,
                        dispatch,
                        executable: executable.part(&[index]),
                        unlike: unlike.part(&[index]),
                    };
                    let name = self.name(subject, dispatch);
                    let operation = self.operation(subject, recorded, number, index)?;
                    let row = part.row(name, operation, self.runs, &self.ceilings)?;
                    self.rows.push(row);
                }
            }
        }
        Ok(())
    }

    /// Whether the operation that dispatch number `index` of plan number `number` is part of computes what the
    /// reference kernel does. What has no choice is its own reference.
    fn operation(
        &mut self,
        subject: &Subject,
        recorded: &Recorded,
        number: usize,
        index: usize,
    ) -> Result<std::result::Result<(), String>> {
        let plan = &recorded.plans[number];
        let mut operations = plan.operations.iter();
        let Some(operation) =
            operations.find(|operation| operation.dispatches().any(|number| number == index))
        else {
            return Ok(Ok(()));
        };
        if operation.chosen + 1 == operation.candidates.len() {
            return Ok(Ok(()));
        }
        if let Some(known) = self.operations.get(&operation.key) {
            return Ok(known.clone());
        }
        // All other operations keep their kernels, so that buffers keep their names, by which their contents are drawn.
        let last = operation.candidates.last();
        let last = last.expect("an operation has a candidate");
        let kernels = subject.device.kernels();
        let kernels = kernels.with_winner(&operation.key, &last.name);
        let [train, forward] = (recorded.record)(&kernels)?;
        let reference = if number == 0 { train } else { forward };
        let mut others = reference.operations.iter();
        let other = others.find(|other| other.key == operation.key);
        let other = other.expect("a plan has the same operations with any kernels");
        let weights = initial_values(&subject.model.parameters, 1).parameters;
        let part = OperationPlan::new(plan, operation);
        let reference = OperationPlan::new(&reference, other);
        let expected = Trial::new(subject.device, &reference, &weights)?.expected()?;
        let agreement = Trial::new(subject.device, &part, &weights)?.agreement(&expected)?;
        let outcome = match agreement {
            Agreement::Within => Ok(()),
            Agreement::Beyond(what) => Err(what),
        };
        self.operations
            .insert(operation.key.clone(), outcome.clone());
        Ok(outcome)
    }

    /// A name that no other row has.
    fn name(&mut self, subject: &Subject, dispatch: &Dispatch) -> String {
        let name = format!(
            "{} {} {} {}",
            subject.model.name, subject.batch_size, dispatch.layer, dispatch.entry
        );
        let count = self.names.entry(name.clone()).or_insert(0);
        *count += 1;
        if *count == 1 {
            name
        } else {
            format!("{name} {count}")
        }
    }
}

/// One dispatch of a plan, on both devices.
struct Part<'a> {
    subject: &'a Subject<'a>,
    other: &'a Subject<'a>,
    plan: &'a Plan,
    dispatch: &'a Dispatch,
    executable: Executable,
    /// The dispatch on the device with the other checks.
    unlike: Executable,
}

impl Part<'_> {
    /// Checks and times it, and leaves every buffer as it was.
    fn row(
        &self,
        name: String,
        operation: std::result::Result<(), String>,
        runs: usize,
        ceilings: &Ceilings,
    ) -> Result<Row> {
        let before = self.buffers(self.subject)?;
        let outcome = match operation.and(self.check(&before)?) {
            Ok(()) => Ok(timing::time(self.subject.device, &self.executable, runs)?),
            Err(wrong) => Err(wrong),
        };
        for (&index, words) in &before {
            self.subject.write_buffer(self.plan, index, words);
        }
        Ok(Row::new(name, [self.dispatch], outcome, ceilings))
    }

    /// The contents of all buffers that it binds, by their numbers.
    fn buffers(&self, subject: &Subject) -> Result<HashMap<usize, Vec<u32>>> {
        let mut contents = HashMap::new();
        for binding in &self.dispatch.bindings {
            let index = self.plan.index(binding.tensor);
            if let Entry::Vacant(entry) = contents.entry(index) {
                entry.insert(subject.read(self.plan, index)?);
            }
        }
        Ok(contents)
    }

    /// Whether both devices compute the same from the same contents.
    fn check(&self, before: &HashMap<usize, Vec<u32>>) -> Result<std::result::Result<(), String>> {
        for (&index, words) in before {
            self.other.write_buffer(self.plan, index, words);
        }
        self.executable
            .submit(self.subject.device, 1)
            .wait(self.subject.device)?;
        self.unlike
            .submit(self.other.device, 1)
            .wait(self.other.device)?;
        let (got, expected) = (self.buffers(self.subject)?, self.buffers(self.other)?);
        let terms = self.terms();
        for binding in &self.dispatch.bindings {
            if binding.access == Access::ReadWrite {
                let index = self.plan.index(binding.tensor);
                let outcome =
                    check::agree_words(&binding.name, &got[&index], &expected[&index], terms);
                if outcome.is_err() {
                    return Ok(outcome);
                }
            }
        }
        Ok(Ok(()))
    }

    /// About how many terms an element that it writes adds up: products, or where it has none what it reads.
    fn terms(&self) -> u32 {
        let elements = |written: bool| {
            let bindings = self.dispatch.bindings.iter();
            let of_kind =
                bindings.filter(|binding| (binding.access == Access::ReadWrite) == written);
            of_kind.map(|binding| binding.bytes / 4).sum::<u64>()
        };
        let outputs = elements(true).max(1);
        let work = self.dispatch.cost.multiplications.max(elements(false));
        (work.div_ceil(outputs) + 2) as u32
    }
}
