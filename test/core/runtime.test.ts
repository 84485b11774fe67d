import { expect, test } from '@jest/globals';

import { ConfigError, backendNames, backendReports, selectBackend, tf } from '@rollcast/core';

test('every backend is reported, with its version or the command that installs it', async () => {
  await selectBackend('cpu');
  const reports = await backendReports();
  expect(reports.map((report) => report.name)).toEqual(backendNames);
  for (const { name, available, detail } of reports) {
    expect({ name, detail }).toEqual({
      name,
      detail: expect.stringMatching(
        available ? /^version \d/ : /npm install --ignore-scripts=false @tensorflow/,
      ),
    });
  }
  expect(reports.filter((report) => report.available).map((report) => report.name)).toEqual(
    expect.arrayContaining(['onnx', 'wasm', 'cpu']),
  );
  expect(reports.find((report) => report.name === 'onnx')?.notes).toMatch(
    /run on ONNX Runtime: .*BatchMatMul/,
  );
  // looking changes nothing
  expect(tf.getBackend()).toBe('cpu');
});

test('auto takes the first backend that loads', async () => {
  const first = (await backendReports()).find((report) => report.available)!.name;
  expect(await selectBackend('auto')).toBe(first);
});

test('a backend named outright that does not load is an error with the way out', async () => {
  const missing = (await backendReports()).find((report) => !report.available);
  if (!missing) return; // everything is installed here
  await expect(selectBackend(missing.name)).rejects.toThrow(
    `The backend "${missing.name}" cannot be used: ${missing.package} is not installed; npm install --ignore-scripts=false ${missing.package}@${tf.version_core}.`,
  );
  await expect(selectBackend(missing.name)).rejects.toThrow(ConfigError);
});
