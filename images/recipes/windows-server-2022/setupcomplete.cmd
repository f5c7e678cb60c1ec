@echo off
rem Windows runs this as the system account at the end of its setup.
powershell.exe -NoProfile -NonInteractive -ExecutionPolicy Bypass -File "%SystemRoot%\Setup\Scripts\setup.ps1"
