/** Tests run from the sources, in native ES modules; the heavy suites have their own npm scripts. */
export default {
  rootDir: 'test',
  testMatch: ['<rootDir>/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/learning/', '<rootDir>/soak/'],
  testEnvironment: '<rootDir>/support/environment.mjs',
  testEnvironmentOptions: { customExportConditions: ['@rollcast/source', 'node', 'node-addons'] },
  setupFilesAfterEnv: ['<rootDir>/support/setup.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'es6' } },
    ],
  },
  transformIgnorePatterns: ['/node_modules/'],
  testTimeout: 120_000,
  maxWorkers: '100%',
};
