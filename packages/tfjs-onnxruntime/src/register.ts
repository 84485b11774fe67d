/** Importing this file registers the backend with its default options. */
import { registerOnnxBackend } from './register-backend.js';

registerOnnxBackend();
