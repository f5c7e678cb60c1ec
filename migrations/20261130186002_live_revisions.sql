-- The live deployments of a boot image by the revision that they keep, for the page of the image.
CREATE INDEX deployments_now_live_image ON views.deployments (boot_image, boot_image_revision)
    WHERE valid_to IS NULL AND status IN ('open', 'in_progress');
