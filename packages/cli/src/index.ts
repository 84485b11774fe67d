export { main } from './main.js';
export { loadEnvironment, loadReward } from './plugins.js';
