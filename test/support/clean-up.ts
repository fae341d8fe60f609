import './same-bits.js';
import { afterAll } from 'vitest';
import { removeTempFolders } from './temp-folder.js';

// Vitest loads this before each test file and runs what comes last first: whatever used the folders has stopped by then.
afterAll(removeTempFolders);
