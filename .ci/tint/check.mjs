// Compiles every module with Tint, the WGSL compiler of Chrome, and makes a pipeline of every entry point. No driver is needed.
//
//     node check.mjs MODULES.json      as tests/shaders.rs writes it

import { readFileSync } from 'node:fs';
import { create, globals } from 'webgpu';

// Kernels that no browser can run, by the extension of naga that they need. Tint must refuse them, or they are listed for nothing.
const NAGA_ONLY = {
    '64-bit integers': ['batch_norm/pairs', 'conv2d/depthwise_pairs', 'conv2d/implicit_gemm', 'conv2d/winograd', 'conv2d/winograd_product'],
    'cooperative matrices': [
        'conv2d/tiled/backward_input (f16)', 'conv2d/tiled/backward_weight (f16)', 'conv2d/tiled/forward (f16)',
    ],
};

// Kernels with subgroup operations: WGSL wants them enabled, by a directive that naga 30 refuses.
const SUBGROUPS = ['conv2d/uniform', 'linear/broadcast', 'spinal/rows'];

const modules = JSON.parse(readFileSync(process.argv[2], 'utf8'));

Object.assign(globalThis, globals);
globalThis.gpu = create(['backend=null']);  // kept there: the process crashes if it is collected
const adapter = await gpu.requestAdapter();
const requiredLimits = {};
for (const name in Object.getPrototypeOf(adapter.limits)) {
    requiredLimits[name] = adapter.limits[name];
}
const device = await adapter.requestDevice({ requiredFeatures: ['subgroups'], requiredLimits });

async function compiled(code) {
    device.pushErrorScope('validation');
    const module = device.createShaderModule({ code });
    const { messages } = await module.getCompilationInfo();
    await device.popErrorScope();
    const errors = messages.filter(({ type }) => type === 'error');
    return { module, errors: errors.map(({ lineNum, linePos, message }) => `${lineNum}:${linePos} ${message}`) };
}

// What is wrong with a module: nothing, it may be.
async function faults({ name, source, entries }) {
    const enables = SUBGROUPS.includes(name) ? 'enable subgroups; ' : '';
    const { module, errors } = await compiled(enables + source);
    if (Object.values(NAGA_ONLY).flat().includes(name)) {
        return errors.length ? [] : ['is taken, though it is listed as naga\'s alone'];
    }
    if (errors.length) {
        return errors;
    }
    if (enables && !(await compiled(source)).errors.length) {
        return ['is listed for subgroups that it does not use'];
    }
    const found = [];
    for (const [entryPoint, constants] of Object.entries(entries)) {
        const made = device.createComputePipelineAsync({ layout: 'auto', compute: { module, entryPoint, constants } });
        await made.catch((error) => found.push(`${entryPoint}: ${error.message}`));
    }
    return found;
}

let refused = 0;
for (const module of modules) {
    for (const fault of await faults(module)) {
        console.error(`${module.name}: ${fault}`);
        refused++;
    }
}
const known = modules.map(({ name }) => name);
for (const name of [...Object.values(NAGA_ONLY).flat(), ...SUBGROUPS].filter((name) => !known.includes(name))) {
    console.error(`${name}: is listed, but there is no such module`);
    refused++;
}
console.log(`Tint: ${modules.length} modules, ${refused} faults`);
process.exit(refused ? 1 : 0);
