import { backendReports, deviceReports, rollcastVersion, selectBackend } from '@rollcast/core';
import type { Command } from 'commander';
import { availableParallelism } from 'node:os';

import { renderTextTable } from '../report/table.js';

export function addDoctor(program: Command): void {
  program
    .command('doctor')
    .description(
      'Show what computes here: the backends and devices that work, and how to get those that do not.',
    )
    .action(async () => {
      const reports = await backendReports();
      const chosen = await selectBackend('auto');
      console.log(
        `rollcast ${rollcastVersion()}, Node ${process.version}, ${process.platform} ${process.arch}, ${availableParallelism()} cores\n`,
      );
      const table = {
        title: 'Backends, in the order in which --backend auto tries them',
        columns: [{ label: 'backend' }, { label: 'state' }, { label: 'what it is' }, { label: 'detail' }],
        rows: reports.map(({ name, available, description, detail }) => [
          name === chosen ? `${name} (auto)` : name,
          available ? 'ready' : 'not ready',
          description,
          detail,
        ]),
      };
      console.log(renderTextTable(table));
      const devices = await deviceReports();
      if (devices.length > 0) {
        const deviceTable = {
          title: 'Devices of the backend onnx, for --device',
          columns: [{ label: 'device' }, { label: 'state' }, { label: 'detail' }],
          rows: devices.map(({ device, usable, detail }) => [
            device,
            usable ? 'ready' : 'not ready',
            usable ? 'ran a graph' : detail,
          ]),
        };
        console.log(`\n${renderTextTable(deviceTable)}`);
      }
      for (const { name, notes } of reports) if (notes) console.log(`\n${name}: ${notes}`);
    });
}
