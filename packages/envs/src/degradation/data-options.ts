import { z } from 'zod';

/** How data files are read. */
export const dataFormats = ['auto', 'long', 'wide', 'wide-times', 'cmapss'] as const;

/** Where degradation histories come from and how to read them; one declaration for flags, files and constructors. */
export const dataOptions = z.strictObject({
  files: z.array(z.string().min(1)).min(1).describe('data files; several are read into one set'),
  format: z
    .enum(dataFormats)
    .default('auto')
    .describe(
      'long: one row a point; wide: one column a unit; wide-times: first column the value, the others when each unit reached it; cmapss: NASA turbofan text',
    ),
  unitColumn: z.string().min(1).optional().describe('long CSV: column that names the unit'),
  timeColumn: z
    .string()
    .min(1)
    .optional()
    .describe('CSV: column of times (default: recognised, or the row number)'),
  valueColumn: z.string().min(1).optional().describe('long CSV: column of the degrading quantity'),
  sensor: z.string().min(1).optional().describe('C-MAPSS: one sensor by name, s1 to s21'),
  healthIndex: z
    .union([z.boolean(), z.string().min(1)])
    .optional()
    .describe(
      'C-MAPSS: mean standard score of several sensors; true for the usual ten, or a list such as s2,s3,-s7',
    ),
  direction: z
    .enum(['auto', 'rises', 'falls'])
    .default('auto')
    .describe('which way the raw values go with wear; auto takes the majority of units'),
  points: z
    .int()
    .min(2)
    .max(1_000_000)
    .optional()
    .describe('resample each unit to this many points, evenly spaced in its time (default: as they are)'),
});

/** What a user writes. */
export type DataOptions = z.input<typeof dataOptions>;
/** Everything filled in. */
export type ResolvedDataOptions = z.output<typeof dataOptions>;
