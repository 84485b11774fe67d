import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { expect, test } from '@jest/globals';

import { temporaryFolder } from '../support/temporary.js';
import type { DeviceRun } from './device-run.js';

/** Software drivers for Vulkan, as Debian's chromium and a browser from its vendor bring them. */
const SOFTWARE_DRIVERS = [
  '/usr/lib/chromium/vk_swiftshader_icd.json',
  '/usr/lib/chromium-browser/vk_swiftshader_icd.json',
  '/opt/google/chrome/vk_swiftshader_icd.json',
];

/** The graphics driver that the environment names, or a software one, or whichever the system has. */
function driverVariables(): Record<string, string> {
  const { VK_DRIVER_FILES, VK_ICD_FILENAMES, LD_LIBRARY_PATH } = process.env;
  const driver = VK_DRIVER_FILES ?? VK_ICD_FILENAMES ?? SOFTWARE_DRIVERS.find((file) => existsSync(file));
  if (process.platform !== 'linux' || !driver) return {};
  return {
    VK_DRIVER_FILES: driver,
    VK_ICD_FILENAMES: driver,
    // a browser brings the loader, libvulkan, beside its driver
    LD_LIBRARY_PATH: [LD_LIBRARY_PATH, dirname(driver)].filter(Boolean).join(delimiter),
  };
}

const folder = temporaryFolder();

function runOn(device: string, variables: Record<string, string> = {}): DeviceRun {
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    [
      '--conditions=@rollcast/source',
      '--import',
      'tsx',
      fileURLToPath(new URL('./device-run.ts', import.meta.url)),
      device,
      join(folder, device),
    ],
    { encoding: 'utf8', env: { ...process.env, ...variables } },
  );
  if (status !== 0) throw new Error(`The run on ${device} ended with status ${status}: ${stderr}`);
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as DeviceRun;
}

/** How many nodes ran on which execution provider, by the profiles of ONNX Runtime. */
function nodesByProvider(device: string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const file of readdirSync(folder).filter((name) => name.startsWith(`${device}_`))) {
    const events = JSON.parse(readFileSync(join(folder, file), 'utf8')) as {
      name?: string;
      args?: { provider?: string };
    }[];
    for (const { name, args } of events) {
      if (!name?.endsWith('_kernel_time') || !args?.provider) continue;
      counts[args.provider] = (counts[args.provider] ?? 0) + 1;
    }
  }
  return counts;
}

const NO_ADAPTER =
  /^Device "webgpu" has no adapter here|^Device "webgpu": onnxruntime-node has no webgpu provider/;
const onWebgpu = runOn('webgpu', driverVariables());
if (onWebgpu.error !== undefined && !NO_ADAPTER.test(onWebgpu.error)) throw new Error(onWebgpu.error);
if (onWebgpu.error !== undefined) {
  console.warn(
    `skipped, no WebGPU here: ${onWebgpu.error} On Debian the package chromium brings a software driver.`,
  );
}
const testOnWebgpu = onWebgpu.error === undefined ? test : test.skip;

testOnWebgpu('a forward pass and training steps on webgpu agree with the cpu', () => {
  const onCpu = runOn('cpu');
  expect([onWebgpu.device, onCpu.device]).toEqual(['webgpu', 'cpu']);
  expect(onWebgpu.logProbs).toBeAllClose(onCpu.logProbs, { rtol: 1e-4, atol: 1e-5 });
  expect(onWebgpu.losses).toBeAllClose(onCpu.losses, { rtol: 1e-4, atol: 1e-5 });
  expect(onWebgpu.embedding).toBeAllClose(onCpu.embedding, { rtol: 1e-3, atol: 1e-5 });
  expect(nodesByProvider('cpu')).toEqual({ CPUExecutionProvider: expect.any(Number) });
});

testOnWebgpu('all but a few nodes run on webgpu, and those without a kernel there run on the cpu', () => {
  const { WebGpuExecutionProvider: there, CPUExecutionProvider: here = 0 } = nodesByProvider('webgpu');
  expect(there).toBeGreaterThan(100);
  expect(here).toBeGreaterThan(0);
  expect(here).toBeLessThan(0.1 * there);
});

testOnWebgpu('a graph too large for the device says so, names the cpu, and the backend goes on', () => {
  expect(onWebgpu.tooLarge).toMatch(
    /^Out of memory on device "webgpu" in tfjs kernel Add\(float32\[200000,1\], float32\[1,200000\]\): use a smaller batch or device "cpu"\./,
  );
  expect(onWebgpu.goesOn).toBe(true);
});

(process.platform === 'linux' ? test : test.skip)(
  'without an adapter the device is refused when it is registered, with what it needs',
  () => {
    const nowhere = join(folder, 'no-driver.json');
    const { error } = runOn('webgpu', { VK_DRIVER_FILES: nowhere, VK_ICD_FILENAMES: nowhere });
    expect(error).toBe(
      process.arch === 'x64'
        ? 'Device "webgpu" has no adapter here: WebGPU needs a graphics driver (Vulkan on Linux, Metal on macOS, Direct3D 12 on Windows). Use device "cpu", which every install has.'
        : expect.stringMatching(NO_ADAPTER),
    );
  },
);
