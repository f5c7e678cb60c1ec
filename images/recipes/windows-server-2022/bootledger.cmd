@echo off
rem Installs Windows on {{ hostname }} from WinPE. What a person sets is never written into this file: it comes in files of its own.
setlocal EnableExtensions DisableDelayedExpansion
set "LOG=X:\bootledger.log"
set "FILES={{ files_url }}"
set "PROGRESS={{ progress_url }}"
set "LOGURL={{ log_url }}"
set "GET=curl.exe -fsS --retry 10 --retry-delay 5 --retry-connrefused"
echo Bootledger installs Windows on {{ hostname }}. > "%LOG%"
wpeinit >> "%LOG%" 2>&1
wpeutil UpdateBootInfo >> "%LOG%" 2>&1

rem The network card may need a minute until it has its address.
set /a TRY=0
:network
set /a TRY+=1
curl.exe -fsS -m 10 -o NUL "%PROGRESS%?stage=installer-started&percent=5" >> "%LOG%" 2>&1 && goto network_up
if %TRY% GEQ 60 (
    echo The server %PROGRESS% cannot be reached. Does WinPE have a driver for the network card?
    ipconfig /all
    goto wait
)
ping -n 6 127.0.0.1 > NUL
goto network
:network_up

set "WHY=disk.txt could not be fetched"
%GET% -o X:\disk.txt "%FILES%/disk.txt" >> "%LOG%" 2>&1 || goto fail
set "WHY=the setting disk is not the number of a disk"
findstr /r /x "[0-9][0-9]*" X:\disk.txt > NUL || goto fail
set /p DISK=<X:\disk.txt

set "FIRMWARE=BIOS"
for /f "tokens=3" %%a in ('reg query HKLM\System\CurrentControlSet\Control /v PEFirmwareType') do if "%%a"=="0x2" set "FIRMWARE=UEFI"
echo Firmware %FIRMWARE%, disk %DISK% >> "%LOG%"

curl.exe -fsS -m 10 -o NUL "%PROGRESS%?stage=partitioning&percent=10" >> "%LOG%" 2>&1
echo select disk %DISK%> X:\diskpart.txt
echo clean>> X:\diskpart.txt
if "%FIRMWARE%"=="UEFI" (
    echo convert gpt>> X:\diskpart.txt
    echo create partition efi size=300>> X:\diskpart.txt
    echo format quick fs=fat32 label=System>> X:\diskpart.txt
    echo assign letter=S>> X:\diskpart.txt
    echo create partition msr size=16>> X:\diskpart.txt
) else (
    echo convert mbr>> X:\diskpart.txt
    echo create partition primary size=500>> X:\diskpart.txt
    echo format quick fs=ntfs label=System>> X:\diskpart.txt
    echo active>> X:\diskpart.txt
    echo assign letter=S>> X:\diskpart.txt
)
echo create partition primary>> X:\diskpart.txt
echo format quick fs=ntfs label=Windows>> X:\diskpart.txt
echo assign letter=W>> X:\diskpart.txt
set "WHY=diskpart could not partition the disk"
diskpart /s X:\diskpart.txt >> "%LOG%" 2>&1 || goto fail

curl.exe -fsS -m 10 -o NUL "%PROGRESS%?stage=fetching-image&percent=15" >> "%LOG%" 2>&1
set "WHY=install.wim could not be fetched"
%GET% -C - -o W:\bootledger-install.wim "%FILES%/install.wim" >> "%LOG%" 2>&1 || goto fail

curl.exe -fsS -m 10 -o NUL "%PROGRESS%?stage=applying-image&percent=40" >> "%LOG%" 2>&1
set "WHY=DISM could not apply the image; is image_index an edition of install.wim?"
dism /Apply-Image /ImageFile:W:\bootledger-install.wim /Index:{{ settings.image_index }} /ApplyDir:W:\ >> "%LOG%" 2>&1 || goto fail
del W:\bootledger-install.wim

curl.exe -fsS -m 10 -o NUL "%PROGRESS%?stage=boot-files&percent=65" >> "%LOG%" 2>&1
set "WHY=bcdboot could not write the boot files"
bcdboot W:\Windows /s S: /f %FIRMWARE% >> "%LOG%" 2>&1 || goto fail

md W:\Windows\Panther 2> NUL
md W:\Windows\Setup\Scripts 2> NUL
set "WHY=the answer file or the scripts of the first start could not be fetched"
%GET% -o W:\Windows\Panther\unattend.xml "%FILES%/unattend.xml" >> "%LOG%" 2>&1 || goto fail
%GET% -o W:\Windows\Setup\Scripts\SetupComplete.cmd "%FILES%/setupcomplete.cmd" >> "%LOG%" 2>&1 || goto fail
%GET% -o W:\Windows\Setup\Scripts\setup.ps1 "%FILES%/setup.ps1" >> "%LOG%" 2>&1 || goto fail
%GET% -o W:\Windows\Setup\Scripts\settings.json "%FILES%/settings.json" >> "%LOG%" 2>&1 || goto fail

rem From here on the network boot must lead to the disk, so this is repeated until the server has answered.
set "WHY=the server did not answer when the disk was written"
set /a TRY=0
:installed
set /a TRY+=1
curl.exe -fsS -m 10 -o NUL "%PROGRESS%?stage=installed&percent=70&next_boot=disk" >> "%LOG%" 2>&1 && goto restart
if %TRY% GEQ 60 goto fail
ping -n 11 127.0.0.1 > NUL
goto installed

:restart
wpeutil reboot
exit /b 0

:fail
echo Failed: %WHY%
echo Failed: %WHY% >> "%LOG%"
curl.exe -fsS -m 10 -o NUL --data-urlencode "stage=failed" --data-urlencode "failed=1" --data-urlencode "text=%WHY%" "%PROGRESS%"
ping -n 2 127.0.0.1 > NUL
curl.exe -fsS -m 30 -o NUL -X POST --data-binary "@%LOG%" "%LOGURL%"
:wait
echo The server waits for an operator. A reset installs again. The log is %LOG%.
cmd.exe /k
